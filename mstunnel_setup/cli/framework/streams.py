"""Standard streams that outlive their other end, and signals that stop a run as Ctrl-C does."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn, TextIO

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hold() -> None:
    """Open what is closed of stdin, stdout and stderr; let a reader that goes away change nothing.

    A lost connection must not stop a run between two actions, and with a standard stream closed the next
    file opened would get its number, and everything printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, "r", closefd=False))
    sys.stdout, sys.stderr = _lasting(1, sys.stdout), _lasting(2, sys.stderr)


def lost(stream: TextIO) -> OSError | None:
    """Why nothing more reaches the other end of a standard stream: a reader that went away, a full disk."""
    return stream.lost if isinstance(stream, _Lasting) else None


def deserted(error: OSError) -> bool:
    """Whether the reader of a pipe, or the terminal, is gone."""
    return error.errno in (errno.EPIPE, errno.EIO)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt inside the block; a second signal is ignored after it.

    The exception has the number of the signal.

    A signal that was ignored before (nohup) stays ignored.
    """
    told = False

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal told
        told = True
        raise KeyboardInterrupt(number)

    ignored = signal.SIG_IGN
    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        if handler != ignored:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            # The outcome is still to be shown: nothing may come in between any more.
            signal.signal(number, ignored if told else handler)


class _Lasting(io.TextIOWrapper):
    """Writes to nowhere once that is no longer possible; `lost` then says why it was not.

    The error is met here, above the buffer: code in Python below it would let a signal come between the write
    and the buffer's note of it, and the same text would be written twice.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.lost = error
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self.fileno())


def _lasting(number: int, stream: TextIO | None) -> TextIO:
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "backslashreplace")
    buffer = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return _Lasting(buffer, encoding, errors, line_buffering=True)
