"""A signal that stops a program stops it, wherever Python is when it comes."""

import signal
import time
import weakref
from collections.abc import Iterator

import pytest

from mstunnel_setup.cli.framework.streams import interruptible


class Thing:
    """Something whose end is noticed."""


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def handlers() -> Iterator[None]:
    """As they were: after the first one a program ignores all of them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_callback_of_the_interpreter_is_not_lost(number: int) -> None:
    """Ctrl-C while a library was imported was dropped, and the sign-in waited for its quarter of an hour."""

    def interrupted_in_a_callback() -> None:
        thing = Thing()
        watched = weakref.ref(thing, lambda _gone: signal.raise_signal(number))
        del thing
        assert watched() is None
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        interrupted_in_a_callback()
    assert caught.value.args == (number,)
