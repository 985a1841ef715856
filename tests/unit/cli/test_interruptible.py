"""A termination signal stops a program at any point of its execution."""

import signal
import sys
import time
import weakref
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

from mstunnel_setup.cli.framework import streams
from mstunnel_setup.cli.framework.streams import interruptible

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Thing:
    """An object with a weak reference callback."""


def drop(number: int) -> None:
    """Send a signal during an interpreter callback, which drops exceptions of signal handlers."""
    thing = Thing()
    watched = weakref.ref(thing, lambda _gone: signal.raise_signal(number))
    del thing
    assert watched() is None


def stopped(act: Callable[[], None]) -> tuple[int, ...]:
    """Return the signal that stopped a program waiting after `act`; restore the handlers."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    try:
        with interruptible():
            act()
            time.sleep(10)
    except KeyboardInterrupt as stop:
        return stop.args
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return ()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_callback_of_the_interpreter_is_not_lost(number: int) -> None:
    """Without this, Ctrl-C during an import is dropped and a sign-in waits for its 15 minutes."""
    assert stopped(lambda: drop(number)) == (number,)


def test_signal_during_a_dropped_signal_is_not_lost() -> None:
    """On a busy machine the repeated signal can arrive in the same callback."""
    for wanted in count(1):
        passed = 0

        def trace(frame: FrameType, _event: str, _value: object, wanted: int = wanted) -> Any:
            nonlocal passed
            passed += frame.f_code.co_filename == streams.__file__
            if passed == wanted:
                passed += 1
                signal.raise_signal(signal.SIGINT)
            return trace

        def drop_with_another() -> None:
            sys.settrace(trace)
            try:
                drop(signal.SIGINT)
            finally:
                sys.settrace(None)

        assert stopped(drop_with_another) == (signal.SIGINT,), wanted
        if passed < wanted:
            assert wanted > 10
            break
