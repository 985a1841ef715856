"""Inputs from the caller of a program: arguments, variables, standard streams and signals."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from traceback import walk_stack
from types import FrameType
from typing import Final, TextIO

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import is_text
from mstunnel_setup.base.text import text

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds after which a signal that Python has dropped is raised again.
_ONCE_MORE: Final = 0.01


def refuse_undecodable(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise UsageError `argument-not-utf8` for an argument, or a variable of ours, that is not UTF-8.

    Answers, logs, JSON output and the tenant all hold UTF-8, so no such value could be stored or shown.
    """
    given = [(text("argument {number}", number=number), value) for number, value in enumerate(arguments, 1)]
    for name, value in environment.items():
        if name.lower().startswith(("mst_", "mstunnel_")):
            given.append((text("the variable {name}", name=name), value))
    for which, value in given:
        if not is_text(value):
            raise UsageError(
                "argument-not-utf8",
                "{which} is not UTF-8 text: {value}",
                hint="Set the terminal to UTF-8 and type it again; rename a file whose name has other bytes.",
                which=which,
                value=value.encode(errors="surrogateescape").decode(errors="backslashreplace"),
            )


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


def write(stream: TextIO, text: str) -> bool:
    """Write in any encoding of the terminal; return whether that succeeded."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
    stream.flush()
    return write_error(stream) is None


def write_error(stream: TextIO) -> OSError | None:
    """The error of a standard stream (reader gone, disk full); None without one."""
    return stream.write_error if isinstance(stream, _BrokenPipeTolerant) else None


def is_broken_pipe(error: OSError) -> bool:
    """True if the reader of a pipe, or the terminal, is gone."""
    return error.errno in (errno.EPIPE, errno.EIO)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt inside the block; a second signal is ignored after it.

    The exception has the number of the signal. One that was ignored before (nohup) stays ignored.
    """
    stopped_by = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_by
        if number != signal.SIGALRM:
            stopped_by = number
        if all(caller.f_code is not once_more.__code__ for caller, _line in walk_stack(frame)):
            raise KeyboardInterrupt(stopped_by)
        if number == signal.SIGALRM:
            signal.setitimer(signal.ITIMER_REAL, _ONCE_MORE)

    def once_more(dropped: "sys.UnraisableHookArgs") -> None:
        # Python drops exceptions that a signal handler raises during a callback of the interpreter, such as
        # the one after each import. It would also drop an exception raised in here.
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            handler = signal.signal(signal.SIGALRM, interrupt)
            before.setdefault(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, _ONCE_MORE)
        else:
            hook(dropped)

    ignored = signal.SIG_IGN
    before = {number: signal.getsignal(number) for number in _STOPPING}
    hook, sys.unraisablehook = sys.unraisablehook, once_more
    for number, handler in before.items():
        if handler != ignored:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            # The outcome must still be shown, so no further signal may interrupt that.
            signal.signal(number, ignored if stopped_by else handler)


class _BrokenPipeTolerant(io.TextIOWrapper):
    """A stream that discards output after the first failure, which is then its `write_error`.

    The error is met here, above the buffer: code in Python below it would let a signal come between the write
    and the buffer's note of it, and the same text would be written twice.
    """

    write_error: OSError | None = None

    def write(self, content: str) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self._give_up(error)
            return len(content)

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
