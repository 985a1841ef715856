"""The clock of the machine."""

import os
import signal
import threading
import time
from typing import NoReturn

import pytest

from mstunnel_setup.io.clock import Clock


class StoppedError(Exception):
    """A signal came."""


def stop(*_signal: object) -> NoReturn:
    raise StoppedError


def test_a_signal_that_comes_just_before_a_long_wait_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mst-admin servers --watch` went on for up to 30 s after such a Ctrl-C."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    times = iter([0.0, 0.0, 30.0])

    def monotonic() -> float:
        """The second reading is the last thing before the wait."""
        if (now := next(times)) == 0.0:
            os.kill(os.getpid(), signal.SIGUSR1)
        return now

    started = time.monotonic()
    monkeypatch.setattr(time, "monotonic", monotonic)
    try:
        Clock().sleep(30)
    finally:
        monkeypatch.undo()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - started < 10


def test_a_handler_that_raises_ends_a_wait() -> None:
    before = signal.signal(signal.SIGUSR1, stop)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(StoppedError):
            Clock().sleep(30)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_wait_takes_its_time(in_thread: bool) -> None:
    started = time.monotonic()
    if in_thread:
        thread = threading.Thread(target=Clock().sleep, args=(0.05,))
        thread.start()
        thread.join()
    else:
        Clock().sleep(0.05)
    assert time.monotonic() - started >= 0.05


def test_other_signals_do_not_shorten_a_wait() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    started = time.monotonic()
    try:
        Clock().sleep(0.2)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - started >= 0.2
