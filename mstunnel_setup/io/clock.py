"""The clock: the only source of time."""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

_MOST_SIGNALS: Final = 4096


class Clock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. A signal that has a handler is handled at once.

        One that comes just before `time.sleep` is handled when that ends: Python only notes it, and calls
        the handler between two of its instructions.
        """
        end = time.monotonic() + seconds
        with _signals() as signals:
            while (left := end - time.monotonic()) > 0:
                if select.select([signals], [], [], left)[0]:
                    os.read(signals, _MOST_SIGNALS)


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor to which Python writes whenever it notes a signal; never in a thread, which gets none."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False) if is_main else -1
    try:
        yield reading
    finally:
        if is_main:
            signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
