"""A program of another account in a session of its own, on a terminal of its own where we have one.

What shares a terminal can type into it (TIOCSTI, ioctl_tty(2)): an account that ran on root's would type into
root's shell. So its programs get a new pseudo-terminal, and bytes, signals and the window's size are carried.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Self

from mstunnel_setup.host.accounts import Account
from mstunnel_setup.host.memory import end_with_parent

_STANDARD: Final = (0, 1, 2)
_HANDED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CHUNK: Final = 65_536
# How long the end of a program may go unnoticed while something that it left keeps the terminal open.
_LOOK_SECONDS: Final = 0.1


def run_apart(
    arguments: Sequence[str], account: Account, environment: Mapping[str, str], *, keep_output: bool = False
) -> tuple[int, bytes]:
    """Run a program as `account` to its end: its exit code (negative: the signal), and its kept output.

    It has nothing of our terminal, and is killed when we are. Signals that would stop us stop it instead; one
    that we ignore it ignores too. A working folder that it cannot enter is left for its home. Raises OSError
    or subprocess.SubprocessError when it cannot start.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    shared = [number for number in _STANDARD if os.isatty(number)]
    ours, theirs = _new_terminal(shared[0], account) if shared else (-1, -1)
    streams = [theirs if number in shared else number for number in _STANDARD]
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=streams[0],
            stdout=subprocess.PIPE if keep_output else streams[1],
            stderr=streams[2],
            env=dict(environment),
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
            start_new_session=True,
            pass_fds=_opened_for_us(),
            preexec_fn=lambda: _settle_in(account, theirs),  # noqa: PLW1509 (no threads are at work)
        )
    finally:
        if shared:
            os.close(theirs)
    with process, _Relay(process, ours, shared) as relay:
        output = relay.carry()
    return process.returncode, output


def _new_terminal(like: int, account: Account) -> tuple[int, int]:
    """A pseudo-terminal that is set as the one at `like`: our end, and the end for `account`."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    os.fchown(theirs, account.uid, -1)
    termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(like))
    _copy_size(like, ours)
    return ours, theirs


def _copy_size(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8))


def _opened_for_us() -> list[int]:
    """What our caller opened for the program, as `--progress-fd` and `<(command)` have it; no terminal."""
    opened: list[int] = []
    for path in Path("/proc/self/fd").iterdir():
        number = int(path.name)
        with contextlib.suppress(OSError):  # the listing itself
            if number not in _STANDARD and os.get_inheritable(number) and not os.isatty(number):
                opened.append(number)
    return opened


def _settle_in(account: Account, terminal: int) -> None:
    """In the new process, which is the account's already and leads its session."""
    end_with_parent(signal.SIGKILL)
    if terminal >= 0:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    if not os.access(".", os.X_OK):
        os.chdir(account.home)


@dataclass
class _Relay:
    """Carries bytes, signals and the window's size between us and a program; a context manager.

    `terminal` is our end of its terminal (-1: it has none), `shared` which of our standard streams are one.
    """

    process: subprocess.Popen[bytes]
    terminal: int
    shared: Sequence[int]
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _keyboard: bool = False

    def __enter__(self) -> Self:
        self._undo.enter_context(_handlers(self._handlers()))
        self._keyboard = 0 in self.shared and _is_foreground()
        if self._keyboard:
            self._undo.enter_context(_raw(0))
        return self

    def __exit__(self, *_error: object) -> None:
        self._undo.close()
        if self.terminal >= 0:
            os.close(self.terminal)

    def carry(self) -> bytes:
        """Carry until the program has ended; what it wrote into the pipe, if it has one."""
        kept: list[bytes] = []
        sinks: dict[int, Callable[[bytes], object]] = {}
        if self.terminal >= 0:
            screen = next((number for number in (1, 2) if number in self.shared), self.shared[0])
            sinks[self.terminal] = lambda data: _write_all(screen, data)
        if self._keyboard:
            sinks[0] = lambda data: _write_all(self.terminal, data)
        if self.process.stdout is not None:
            sinks[self.process.stdout.fileno()] = kept.append
        while set(sinks) - {0}:
            ready, _, _ = select.select(list(sinks), [], [], _LOOK_SECONDS)
            for source in ready:
                if not _carried(source, sinks[source]):
                    del sinks[source]
            if not ready and self.process.poll() is not None:
                break
        self.process.wait()
        return b"".join(kept)

    def _handlers(self) -> dict[int, Callable[[int, FrameType | None], None]]:
        def hand_on(number: int, _frame: FrameType | None) -> None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

        def resize(_number: int, _frame: FrameType | None) -> None:
            _copy_size(self.shared[0], self.terminal)

        handed: dict[int, Callable[[int, FrameType | None], None]] = dict.fromkeys(_HANDED_ON, hand_on)
        return {**handed, signal.SIGWINCH: resize} if self.shared else handed


@contextlib.contextmanager
def _handlers(wanted: Mapping[int, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Handle these signals inside the block; one that is ignored (nohup) stays ignored."""
    before = {number: signal.getsignal(number) for number in wanted}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, wanted[number])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _is_foreground() -> bool:
    """Whether we may read the terminal at standard input; one that is not our own nobody keeps from us."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Have keys come as they are typed, Ctrl-C too: what they mean is for the other terminal to say."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # it went away
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _carried(source: int, sink: Callable[[bytes], object]) -> bool:
    """Whether there may be more: a terminal whose other end is closed gives EIO, a pipe nothing."""
    try:
        data = os.read(source, _CHUNK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if data:
        sink(data)
    return bool(data)


def _write_all(target: int, data: bytes) -> None:
    """Write what goes; a terminal that is gone, or whose buffer is full, takes no more."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
