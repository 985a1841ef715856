"""Bounded processes for the testbed, and progress lines that say how long things took."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

STARTED = time.monotonic()


class TestbedError(Exception):
    """A part of the testbed failed; the message holds the command and the end of what it said."""

    __test__ = False


@dataclass(frozen=True)
class Completed:
    """What a finished command left: exit code, and its two streams as text."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    def describe(self) -> str:
        """Command, exit code and the last lines of both streams."""
        tail = "\n".join((self.stdout + "\n" + self.stderr).strip().splitlines()[-25:])
        return f"{' '.join(self.argv)}\nexit code {self.code} after {self.seconds:.1f} s\n{tail}"

    def checked(self) -> Self:
        """The same, where the exit code is 0. Raises TestbedError."""
        if self.code:
            raise TestbedError(self.describe())
        return self

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON result of a program of ours."""
        return dict(json.loads(self.stdout))

    @property
    def error(self) -> str:
        """Code of the first error in that result, empty without one."""
        return self._of_error("code")

    @property
    def message(self) -> str:
        """What that error says."""
        return self._of_error("message")

    @property
    def hint(self) -> str:
        """What that error says is to be done."""
        return self._of_error("hint")

    def _of_error(self, name: str) -> str:
        return "".join(item[name] for item in self.envelope["errors"][:1])


def run(
    argv: Sequence[str], *, stdin: str | bytes = "", timeout: float = 60, check: bool = True
) -> Completed:
    """Run `argv` for at most `timeout` seconds.

    Raises:
        TestbedError: the time ran out, or `check` is set and the exit code is not 0.
    """
    begin = time.monotonic()
    data = stdin.encode() if isinstance(stdin, str) else stdin
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        err += f"\nno answer within {timeout:.0f} s".encode()
    result = Completed(
        tuple(argv),
        process.returncode,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        time.monotonic() - begin,
    )
    return result.checked() if check or result.code == -signal.SIGKILL else result


def progress(text: str) -> None:
    """Tell on stderr what happens, with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", file=sys.stderr, flush=True)
