"""The process runner: the only module that starts programs. Never a shell, always a time limit."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from mstunnel_setup.errors import StepError

# Everything else in our environment stays out of children: it may hold secrets.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"),
    *("PAGER", "TERM", "PODMAN_IGNORE_CGROUPSV1_WARNING"),
)


class ProcessError(StepError):
    """A program could not be started, failed, or took too long."""


@dataclass(frozen=True)
class Completed:
    """A finished program: exit code and what it printed (text, undecodable bytes replaced)."""

    code: int
    output: str
    error: str


class Processes:
    """Starts programs."""

    def find(self, program: str) -> str | None:
        """The full path of `program`, or None when it is not installed."""
        return shutil.which(program, path=_environment({}).get("PATH"))

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        check: bool = True,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end.

        Secrets go through `stdin`, never through `arguments` or `environment`. `timeout` is in seconds.
        Raises ProcessError when it cannot start, takes too long, or, with `check`, does not end with 0.
        """
        program = arguments[0]
        try:
            done = subprocess.run(
                list(arguments),
                input=stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
                env=_environment(environment or {}),
            )
        except FileNotFoundError as error:
            raise ProcessError(
                "program-missing", f"{program} is not installed", f"Install {program}."
            ) from error
        except OSError as error:
            raise ProcessError("program-failed", f"{program} cannot be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise ProcessError(
                "program-timeout",
                f"{program} did not finish within {timeout:.0f} s: {' '.join(arguments)}",
                "Find out what it waits for and run the command again.",
            ) from error
        completed = Completed(done.returncode, _text(done.stdout), _text(done.stderr))
        if check and completed.code != 0:
            raise ProcessError(
                "program-failed",
                f"`{' '.join(arguments)}` ended with {completed.code}: {_last_line(completed)}",
            )
        return completed

    def replace(self, arguments: Sequence[str]) -> NoReturn:
        """Become another program (for `logs --follow` and the like); does not return."""
        os.execvpe(arguments[0], list(arguments), _environment({}))  # noqa: S606 (no shell is the point)

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a helper that runs beside us; the caller ends it. Its output is discarded."""
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment({}),
            start_new_session=True,
        )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **kept, "LC_ALL": "C.UTF-8", **extra}


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _last_line(completed: Completed) -> str:
    lines = (completed.error or completed.output).strip().splitlines()
    return lines[-1] if lines else "no output"
