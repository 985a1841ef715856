"""A person at a terminal: a real pty, what is typed, and what stands on the screen."""

import io
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

import pexpect

from tests.testbed.machine import Machine
from tests.testbed.process import TestbedError
from tests.testbed.recording import Event, Recording

CTRL_C = "\x03"
CTRL_D = "\x04"
COLUMNS = 80
ROWS = 24
_SECONDS = 60.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Record(io.StringIO):
    """Everything that was shown, and when each part of it was."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def write(self, text: str) -> int:
        """Keep `text`, and the moment."""
        self.events.append((time.monotonic(), text))
        return super().write(text)


class Terminal:
    """`command` on a machine, typed at a terminal of 80 columns and 24 rows; ended on leaving."""

    def __init__(
        self, machine: Machine, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        argv = machine.argv(command, tty=True, env=dict(environment or {}))
        self._record = Record()
        self._child = pexpect.spawn(
            argv[0], argv[1:], encoding="utf-8", dimensions=(ROWS, COLUMNS), timeout=_SECONDS
        )
        self._child.logfile_read = self._record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Killing our side would leave the program on the machine running.
        with suppress(OSError, pexpect.TIMEOUT):
            self._child.send(CTRL_C)
            self._child.expect(pexpect.EOF, timeout=10)
        self._child.close(force=True)

    def wait_for(self, text: str) -> None:
        """Return once `text` (after what was waited for before) is shown. Raises TestbedError.

        A blank of it may be where a long line is folded.
        """
        self.match(re.escape(text).replace(r"\ ", r"\s+"))

    def match(self, pattern: str) -> str:
        """Wait for a regular expression; its first group, or all of it. Raises TestbedError."""
        try:
            self._child.expect(pattern, timeout=_SECONDS)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise TestbedError(f"the terminal never showed {pattern!r}:\n{self.screen}") from error
        found = cast("re.Match[str]", self._child.match)
        return found[1] if found.groups() else found[0]

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self._child.send(f"{text}\r")

    def press(self, key: str) -> None:
        """Press one key."""
        self._child.send(key)

    def end(self, seconds: float = _SECONDS) -> int:
        """Wait until the program ends; its exit code. Raises TestbedError."""
        try:
            self._child.expect(pexpect.EOF, timeout=seconds)
        except pexpect.TIMEOUT as error:
            raise TestbedError(f"the program at the terminal does not end:\n{self.screen}") from error
        self._child.close()
        return int(self._child.exitstatus if self._child.exitstatus is not None else -1)

    def recording(self, typed: str) -> Recording:
        """What was shown until now, below the line with the command that a person typed."""
        events = self._record.events
        return Recording(COLUMNS, ROWS, [(events[0][0] - 1, f"# {typed}\r\n"), *events])

    @property
    def raw(self) -> str:
        """Everything that was shown, as it came."""
        return self._record.getvalue()

    @property
    def screen(self) -> str:
        """Everything that was shown, as lines without escape sequences; a redrawn line counts once."""
        lines = _ESCAPES.sub("", self.raw).replace("\r\n", "\n").split("\n")
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
