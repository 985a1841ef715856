"""How long something that is to be served all the time is not."""

import threading
import time
from collections.abc import Callable


class Outage(threading.Thread):
    """Looks over and over, `pause` seconds after each time, how often it is served and for how long not."""

    def __init__(self, served: Callable[[], bool], pause: float = 0) -> None:
        super().__init__(daemon=True)
        self._served, self._pause = served, pause
        self._over = threading.Event()
        self._longest = 0.0
        self.times = 0

    def run(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            served = self._served()
            self._longest = max(self._longest, time.monotonic() - last)
            if served:
                last = time.monotonic()
                self.times += 1
            time.sleep(self._pause)

    def stop(self) -> float:
        """End it; the longest time in seconds in which it was not served."""
        self._over.set()
        self.join(20)
        return self._longest
