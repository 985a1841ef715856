"""Waiting for what another program does."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def settled(look: Callable[[], Seen], seconds: float = 20) -> Seen:
    """What is seen once it is the same `seconds` later: a monitor looks every eight."""
    seen = look()
    while True:
        time.sleep(seconds)
        before, seen = seen, look()
        if before == seen:
            return seen


def eventually(look: Callable[[], Seen], seconds: float = 30) -> Seen:
    """What is seen as soon as it is true or not empty, or when the time is over."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() <= deadline:
        time.sleep(0.5)
    return seen
