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


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True
