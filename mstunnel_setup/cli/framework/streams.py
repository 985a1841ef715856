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


def keep_open() -> None:
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
    sys.stdout, sys.stderr = _tolerant(1, sys.stdout), _tolerant(2, sys.stderr)


def write_error(stream: TextIO) -> OSError | None:
    """Why writing to a standard stream failed: the reader is gone, the disk is full; None if it did not."""
    return stream.write_error if isinstance(stream, _BrokenPipeTolerant) else None


def is_broken_pipe(error: OSError) -> bool:
    """Whether the reader of a pipe, or the terminal, is gone."""
    return error.errno in (errno.EPIPE, errno.EIO)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt inside the block; a second signal is ignored after it.

    The exception has the number of the signal.

    A signal that was ignored before (nohup) stays ignored.
    """
    interrupted = False

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
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
            signal.signal(number, ignored if interrupted else handler)


class _BrokenPipeTolerant(io.TextIOWrapper):
    """Discards what is written after the first failure; `write_error` is then the reason.

    The error is met here, above the buffer: code in Python below it would let a signal come between the write
    and the buffer's note of it, and the same text would be written twice.
    """

    write_error: OSError | None = None

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
        self.write_error = error
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self.fileno())


def _tolerant(number: int, stream: TextIO | None) -> TextIO:
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "backslashreplace")
    buffer = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return _BrokenPipeTolerant(buffer, encoding, errors, line_buffering=True)
