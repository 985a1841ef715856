"""The limit of Graph on what a tenant takes in a while: more gets 429, with the seconds to wait."""

import math
from collections import deque
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.io.clock import Clock, SystemClock

_READING: Final = frozenset({"GET", "HEAD"})


class WriteLimit(BaseModel):
    """So many requests that change something may reach Graph within `seconds`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: Annotated[int, Field(ge=1, le=100_000)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class Throttle:
    """Counts what changes a tenant, and refuses what exceeds the limit; there is none until one is set."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.limit: WriteLimit | None = None
        self.refused = 0
        self._clock = clock or SystemClock()
        self._taken: dict[str, deque[float]] = {}

    def set(self, limit: WriteLimit | None) -> None:
        """Use this limit from now on, None: no limit."""
        self.limit, self.refused = limit, 0
        self._taken.clear()

    def wait(self, method: str, path: str, tenant: str) -> int | None:
        """Return after how many whole seconds this request may come again; None when it is taken."""
        if self.limit is None or method in _READING or not path.startswith(("/beta/", "/v1.0/")):
            return None
        now, taken = self._clock.monotonic(), self._taken.setdefault(tenant, deque())
        while taken and taken[0] <= now - self.limit.seconds:
            taken.popleft()
        if len(taken) < self.limit.requests:
            taken.append(now)
            return None
        self.refused += 1
        return max(1, math.ceil(taken[0] + self.limit.seconds - now))
