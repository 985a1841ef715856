"""Clocks of which a test knows what they say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mstunnel_setup.io.clock import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeClock(Clock):
    """Time that passes only during a sleep; `during` is what happens meanwhile, one for each sleep."""

    start: datetime = START
    elapsed: float = 0.0
    naps: list[float] = field(default_factory=list)
    during: list[Callable[[], Any]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.elapsed += seconds
        if self.during:
            self.during.pop(0)()


class StoppedClock(FakeClock):
    """Time that stands still: waiting for it is an error."""

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)
