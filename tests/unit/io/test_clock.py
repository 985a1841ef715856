"""The clock of the machine: a wait ends at its time or at a signal."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from mstunnel_setup.io.clock import Clock


class StoppedError(Exception):
    """The exception that a signal handler raises."""


def stop(*_signal: object) -> NoReturn:
    raise StoppedError


@contextmanager
def handled(handler: Callable[..., None], after: float | None = None) -> Iterator[None]:
    """Handle SIGUSR1 with `handler`, and send it after `after` seconds, if given."""
    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(after or 0, os.kill, (os.getpid(), signal.SIGUSR1))
    if after is not None:
        timer.start()
    try:
        yield
    finally:
        if after is not None:
            timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_signal_just_before_a_long_wait_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a race of Ctrl-C: `mst-admin servers --watch` once continued for up to 30 s."""
    times = iter([0.0, 0.0, 30.0])

    def monotonic() -> float:
        """Send the signal at the second reading, immediately before the wait."""
        if (now := next(times)) == 0.0:
            os.kill(os.getpid(), signal.SIGUSR1)
        return now

    started = time.monotonic()
    with handled(lambda *_: None), monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", monotonic)
        Clock().sleep(30)
    assert time.monotonic() - started < 10


def test_signal_handler_that_raises_ends_a_wait() -> None:
    with handled(stop, after=0.1), pytest.raises(StoppedError):
        Clock().sleep(30)


@pytest.mark.parametrize("in_thread", [False, True])
def test_wait_takes_its_full_time(in_thread: bool) -> None:
    started = time.monotonic()
    if in_thread:
        thread = threading.Thread(target=Clock().sleep, args=(0.05,))
        thread.start()
        thread.join()
    else:
        Clock().sleep(0.05)
    assert time.monotonic() - started >= 0.05


def test_other_signals_do_not_shorten_a_wait() -> None:
    started = time.monotonic()
    with handled(lambda *_: None, after=0.05):
        Clock().sleep(0.2)
    assert time.monotonic() - started >= 0.2
