"""A signal that stops a program stops it, wherever Python is when it comes."""

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
    """Something whose end is noticed."""


def drop(number: int) -> None:
    """Have a signal come in a callback of the interpreter, which drops what its handler raises."""
    thing = Thing()
    watched = weakref.ref(thing, lambda _gone: signal.raise_signal(number))
    del thing
    assert watched() is None


def stopped(act: Callable[[], None]) -> tuple[int, ...]:
    """The signal that ended a program which waits after `act`; handlers are as they were afterwards."""
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
    """Ctrl-C while a library was imported was dropped, and the sign-in waited for its quarter of an hour."""
    assert stopped(lambda: drop(number)) == (number,)


def test_nor_is_one_that_comes_while_another_is_dropped() -> None:
    """On a busy machine that was the one which was sent in place of the first."""
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
