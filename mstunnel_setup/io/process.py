"""The process runner: the only module that starts programs, never with a shell, always with a time limit."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from mstunnel_setup.base.redaction import without_likely
from mstunnel_setup.base.text import text
from mstunnel_setup.io.accounts import Account, own_name
from mstunnel_setup.io.errors import PROGRAM_FAILED, ProcessError
from mstunnel_setup.io.terminal import run_apart

# Children inherit no other variables, which may hold secrets. The language variables are for programs that a
# person uses, where an empty one counts as unset; programs whose output we parse run in English.
_LANGUAGE = ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES")
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"),
    *("PAGER", "TERM", "PODMAN_IGNORE_CGROUPSV1_WARNING"),
)
_PROGRAMS_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# The number of characters of a program's last line that a message quotes.
_LONGEST = 2000


@dataclass(frozen=True)
class Completed:
    """A finished program: exit code and output (text, undecodable bytes replaced)."""

    code: int
    output: str
    error: str


class Processes:
    """Starts programs, each with a time limit or under the caller's control."""

    def find(self, program: str) -> str | None:
        """Return the full path of `program`, or None if it is not installed."""
        return shutil.which(program, path=_environment({}).get("PATH"))

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        check: bool = True,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> Completed:
        """Run a program and wait for it; root may run it as `account`.

        Secrets go through `stdin`, never through `arguments` or `environment`. `timeout` is in seconds.
        Raises ProcessError if the program cannot start, takes too long, or, with `check`, does not exit with
        0.
        """
        program = arguments[0]
        try:
            done = subprocess.run(
                list(arguments),
                input=stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
                # Other programs of an account can read its environment; ours may contain the password of a
                # proxy.
                env=_environment(environment or {}) if account is None else {"PATH": _PROGRAMS_PATH},
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=account.groups if account else None,
            )
        except FileNotFoundError as error:
            raise ProcessError(
                "program-missing", "{program} is not installed", hint="Install {program}.", program=program
            ) from error
        except OSError as error:
            raise _not_started(program, error) from error
        except subprocess.TimeoutExpired as error:
            raise ProcessError(
                "program-timeout",
                "`{command}` did not finish within {seconds} s",
                hint="Find out what it waits for, then run the command again.",
                command=_shown(arguments),
                seconds=f"{timeout:.0f}",
            ) from error
        completed = Completed(done.returncode, _text(done.stdout), _text(done.stderr))
        if check and completed.code != 0:
            lines = (completed.error or completed.output).strip().splitlines()
            raise PROGRAM_FAILED(
                command=_shown(arguments),
                exit_code=completed.code,
                output=without_likely(lines[-1][:_LONGEST]) if lines else text("no output"),
            )
        return completed

    def replace(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> NoReturn:
        """Replace this process with another program (`logs --follow` and similar).

        The program gets only `environment`, or the usual variables without it. Raises OSError.
        """
        given = _environment({}) if environment is None else environment
        os.execvpe(arguments[0], list(arguments), given)  # noqa: S606 (no shell is the point)

    def become(self, account: Account, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """Run a program as `account` in place of this one, and exit with its exit code.

        Root stays as a relay, so that the account gets no access to root's terminal (`run_apart`). Raises
        ProcessError.
        """
        code, _ = _apart(arguments, account, environment, keep_output=False)
        # Shells use this exit code for a program that a signal ended.
        raise SystemExit(128 - code if code < 0 else code)

    def attend(self, arguments: Sequence[str], stdin: bytes | None = None) -> Completed:
        """Run an interactive program at our terminal and capture its standard output.

        It shares our standard input, or gets `stdin`. There is no time limit; a signal that stops this
        process stops the program first. Raises ProcessError if it cannot start.
        """
        try:
            process = subprocess.Popen(
                list(arguments),
                stdin=None if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment({name: os.environ.get(name, "") for name in _LANGUAGE}),
            )
        except OSError as error:
            raise _not_started(arguments[0], error) from error
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        stopped = False
        # The terminal sends Ctrl-C to the program; other signals are forwarded.
        with process.stdout as stream:
            while True:
                try:
                    if process.stdin is not None and not process.stdin.closed:
                        # The program may have ended without reading it.
                        with contextlib.suppress(BrokenPipeError), process.stdin as given:
                            given.write(stdin or b"")
                    output = stream.read()
                    code = process.wait()
                    break
                except KeyboardInterrupt:
                    stopped = True
                    with contextlib.suppress(PermissionError):
                        process.terminate()
        if stopped:
            raise KeyboardInterrupt
        return Completed(code, _text(output), "")

    def attend_as(
        self, account: Account, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> Completed:
        """Run `attend` as `account`, without access to our terminal (`run_apart`). Raises ProcessError."""
        code, output = _apart(arguments, account, environment, keep_output=True)
        return Completed(code, _text(output), "")

    def lines(self, arguments: Sequence[str], *, held_input: bool = False) -> Iterator[str]:
        """Yield the output of a program line by line, both streams merged.

        Its standard input is empty; with `held_input` it stays open. There is no time limit; the program is
        stopped when the iteration ends. Raises ProcessError if it cannot start, and at the end if its exit
        code is not 0.
        """
        last = ""
        try:
            process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.PIPE if held_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment({}),
            )
        except OSError as error:
            raise _not_started(arguments[0], error) from error
        with process:
            assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
            try:
                for line in process.stdout:
                    last = _text(line).rstrip("\r\n")
                    yield last
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            raise PROGRAM_FAILED(
                command=_shown(arguments), exit_code=process.returncode, output=without_likely(last)
            )

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a background program and discard its output; the caller stops it."""
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment({}),
            start_new_session=True,
        )


def _apart(
    arguments: Sequence[str], account: Account, environment: Mapping[str, str], *, keep_output: bool
) -> tuple[int, bytes]:
    try:
        return run_apart(arguments, account, environment, keep_output=keep_output)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _not_started(arguments[0], error, account.name) from error


def _not_started(program: str, error: Exception, account: str = "") -> ProcessError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ProcessError(
        "program-not-started",
        "cannot start {program} as {account}: {reason}",
        hint="Let {account} read and execute {program}.",
        program=program,
        account=account or own_name(),
        reason=reason,
    )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if os.geteuid() != 0:
        # This is the socket directory of the account's service manager; shells started by `su` and cron lack
        # the variable.
        kept.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    return {"PATH": _PROGRAMS_PATH, **kept, "LC_ALL": "C.UTF-8", **extra}


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _shown(arguments: Sequence[str]) -> str:
    """Return the command for a message, redacted: an address among its arguments may contain a password."""
    return without_likely(" ".join(arguments))
