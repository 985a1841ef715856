"""Run a program as another account in a separate session and, where we have a terminal, on a new one.

A program can inject input into its terminal (TIOCSTI, ioctl_tty(2)): on root's terminal it could type into
root's shell. So it gets a new pseudo-terminal, and we relay bytes, signals and the window size.
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

from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.own_process import end_with_parent

_STANDARD: Final = (0, 1, 2)
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CHUNK: Final = 65_536
# Poll interval for the end of the program: a child that it left behind may keep the terminal open.
_LOOK_SECONDS: Final = 0.1


def run_apart(
    arguments: Sequence[str], account: Account, environment: Mapping[str, str], *, keep_output: bool = False
) -> tuple[int, bytes]:
    """Run a program as `account`: its exit code (negative: the signal), and its output when `keep_output`.

    It has no access to our terminal, and is killed when we are. Signals are forwarded to it, except those
    that we ignore. It runs in its home when it cannot enter the working directory. Raises OSError or
    subprocess.SubprocessError when it cannot start.
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
            preexec_fn=lambda: _enter_session(account, theirs),  # noqa: PLW1509 (there are no threads)
        )
    finally:
        if shared:
            os.close(theirs)
    with process, _Relay(process, ours, shared) as relay:
        output = relay.carry()
    return process.returncode, output


def _new_terminal(like: int, account: Account) -> tuple[int, int]:
    """A pseudo-terminal with the settings of `like`: our end, and the end for `account`."""
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
    """Descriptors to pass on, as for `--progress-fd` and `<(command)`; no terminal."""
    opened: list[int] = []
    for path in Path("/proc/self/fd").iterdir():
        number = int(path.name)
        with contextlib.suppress(OSError):  # the listing itself
            if number not in _STANDARD and os.get_inheritable(number) and not os.isatty(number):
                opened.append(number)
    return opened


def _enter_session(account: Account, terminal: int) -> None:
    """Runs in the new process, which already has the account's user ID and leads its session."""
    end_with_parent(signal.SIGKILL)
    if terminal >= 0:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    if not os.access(".", os.X_OK):
        os.chdir(account.home)


@dataclass
class _Relay:
    """Relays bytes, signals and the window size between us and a program; a context manager.

    `terminal` is our end of its terminal (-1: none), `shared` those standard streams that are terminals.
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
        """Relay until the program has ended; returns what it wrote into the pipe, if there is one."""
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
        def forward(number: int, _frame: FrameType | None) -> None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

        def resize(_number: int, _frame: FrameType | None) -> None:
            _copy_size(self.shared[0], self.terminal)

        handed: dict[int, Callable[[int, FrameType | None], None]] = dict.fromkeys(_FORWARDED, forward)
        return {**handed, signal.SIGWINCH: resize} if self.shared else handed


@contextlib.contextmanager
def _handlers(wanted: Mapping[int, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Handle these signals inside the block; an ignored one (nohup) stays ignored."""
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
    """Whether we may read the terminal at standard input; True for one that does not control us."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Raw mode: keys, including Ctrl-C, are passed on for the other terminal to interpret."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _carried(source: int, sink: Callable[[bytes], object]) -> bool:
    """Pass on one read; False at the end (EIO of a terminal with a closed other end, nothing from a pipe)."""
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
    """Write as much as possible; dropped when the terminal is gone or its buffer is full."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
