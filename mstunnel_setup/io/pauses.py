"""Pauses that servers ask for: while one lasts, no thread of a session sends to that server."""

import threading

from mstunnel_setup.io.clock import Clock


class Pauses:
    """Until when each server wants no requests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, server: str, seconds: float) -> None:
        """Send nothing to a server for so long; a longer pause that has begun stays."""
        with self._lock:
            until = self._clock.monotonic() + seconds
            self._until[server] = max(until, self._until.get(server, until))

    def left(self, server: str) -> float:
        """Return the seconds until a request may be sent to a server; 0 or less: now."""
        return self._until.get(server, 0.0) - self._clock.monotonic()

    def wait(self, server: str) -> None:
        """Return when a request may be sent to a server."""
        while (seconds := self.left(server)) > 0:
            self._clock.sleep(seconds)
