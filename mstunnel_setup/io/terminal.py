"""Running a program as another account in a separate session, on a new terminal if we have one.

A program can inject input into its terminal (TIOCSTI, ioctl_tty(2)): on root's terminal it could type into
root's shell. So it gets a new pseudo-terminal, and we relay bytes, signals and the window size.
"""

import contextlib
import fcntl
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Final

from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.hand_over import (
    VARIABLES_FD,
    closed_loader,
    named_descriptors,
    refuse_open_process,
    send_variables,
)
from mstunnel_setup.io.own_process import end_with_parent

_STANDARD: Final = (0, 1, 2)
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CHUNK: Final = 65_536
# Seconds between checks for the program's end: a child that it left behind may keep the terminal open.
_LOOK_SECONDS: Final = 0.1


def run_apart(
    arguments: Sequence[str], account: Account, environment: Mapping[str, str], *, keep_output: bool = False
) -> tuple[int, bytes]:
    """Run a program as `account`; return its exit code and, with `keep_output`, its output.

    The exit code is negative for a signal. The program has no access to our terminal, and is killed when this
    process is. Signals are forwarded to it, except ignored ones. It runs in the account's home if it cannot
    enter the working directory. `arguments` begin with a dynamically linked program. No other program of the
    account can read its memory; it gets `environment` through a pipe (`hand_over.receive_variables`).

    Raises OSError, ValueError or subprocess.SubprocessError if it cannot start, CheckError if others can read
    it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    shared = [number for number in _STANDARD if os.isatty(number)]
    ours, theirs = _new_terminal(shared[0]) if shared else (-1, -1)
    streams = [theirs if number in shared else number for number in _STANDARD]
    stdout = subprocess.PIPE if keep_output else streams[1]
    try:
        process, writing = _started(arguments, account, environment, (streams[0], stdout, streams[2]), theirs)
    finally:
        if shared:
            os.close(theirs)
    try:
        refuse_open_process(process.pid, account.name)
    except BaseException:
        process.kill()
        os.close(writing)
        raise
    send_variables(writing, environment)
    with process, contextlib.ExitStack() as undo:
        if shared:
            undo.callback(os.close, ours)
        undo.enter_context(_forwarded_signals(process, ours, shared))
        # We may read from a terminal that does not control us, or from our own one in the foreground.
        keyboard = 0 in shared
        with contextlib.suppress(OSError):
            keyboard = keyboard and os.tcgetpgrp(0) == os.getpgrp()
        if keyboard:
            undo.enter_context(_raw(0))
        output = _relay(process, ours, shared, keyboard=keyboard)
    return process.returncode, output


def _started(
    arguments: Sequence[str],
    account: Account,
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
    terminal: int,
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program with these standard streams; return it and the pipe end for its variables.

    `terminal` becomes its controlling terminal; -1 for none.
    """
    loader, copy = closed_loader(arguments[0])
    reading, writing = os.pipe()
    needed = [reading] if copy is None else [reading, copy]

    def enter_session() -> None:
        """Prepare the new process, which already has the account's user id and leads its session."""
        end_with_parent(signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if terminal >= 0:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        if not os.access(".", os.X_OK):
            os.chdir(account.home)
        if copy is not None:
            fcntl.fcntl(copy, fcntl.F_SETFD, fcntl.FD_CLOEXEC)

    try:
        process = subprocess.Popen(
            [loader, *arguments],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env={VARIABLES_FD: str(reading)},
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
            start_new_session=True,
            pass_fds=[*needed, *named_descriptors(sys.argv[1:], environment)],
            preexec_fn=enter_session,  # noqa: PLW1509 (there are no threads)
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        for number in needed:
            os.close(number)
    return process, writing


def _new_terminal(like: int) -> tuple[int, int]:
    """Open a pseudo-terminal with the settings of `like`; return our end and the program's end.

    Root keeps owning it: other programs of the account could otherwise read what root types.
    """
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(like))
    _copy_size(like, ours)
    return ours, theirs


def _copy_size(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8))


def _relay(process: subprocess.Popen[bytes], ours: int, shared: Sequence[int], *, keyboard: bool) -> bytes:
    """Relay bytes until the program has ended; return its output in the pipe, if there is one.

    `ours` is our end of its terminal (-1: none), `shared` the standard streams that are terminals.
    """
    kept: list[bytes] = []
    sinks: dict[int, Callable[[bytes], object]] = {}
    if shared:
        screen = min(set(shared) - {0}, default=0)
        sinks[ours] = lambda data: _write_all(screen, data)
    if keyboard:
        sinks[0] = lambda data: _write_all(ours, data)
    if process.stdout is not None:
        sinks[process.stdout.fileno()] = kept.append
    while set(sinks) - {0}:
        ready, _, _ = select.select(list(sinks), [], [], _LOOK_SECONDS)
        for source in ready:
            data = _read(source)
            if data is None:
                del sinks[source]
            else:
                sinks[source](data)
        if not ready and process.poll() is not None:
            break
    process.wait()
    return b"".join(kept)


def _read(source: int) -> bytes | None:
    """Read once; return None at the end (EIO of a terminal with a closed other end, nothing from a pipe)."""
    try:
        return os.read(source, _CHUNK) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


@contextlib.contextmanager
def _forwarded_signals(process: subprocess.Popen[bytes], ours: int, shared: Sequence[int]) -> Iterator[None]:
    """Forward signals and window size changes inside the block; ignored signals (nohup) stay ignored."""

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    def resize(_number: int, _frame: FrameType | None) -> None:
        _copy_size(shared[0], ours)

    handlers: dict[int, Callable[[int, FrameType | None], None]] = dict.fromkeys(_FORWARDED, forward)
    if shared:
        handlers[signal.SIGWINCH] = resize
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Set raw mode: keys, including Ctrl-C, are passed on for the other terminal to interpret."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _write_all(target: int, data: bytes) -> None:
    """Write as much as possible; drop the rest if the terminal is gone or its buffer is full."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
