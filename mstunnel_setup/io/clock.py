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
        """Return the current time, timezone-aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, but handle signals that have a handler at once.

        `time.sleep` would delay a signal that arrives just before it: Python notes a signal and calls the
        handler between two of its instructions.
        """
        end = time.monotonic() + seconds
        with _signals() as signals:
            while (left := end - time.monotonic()) > 0:
                if select.select([signals], [], [], left)[0]:
                    os.read(signals, _MOST_SIGNALS)


@contextmanager
def _signals() -> Iterator[int]:
    """Return a descriptor to which Python writes on every signal; signals arrive in the main thread only."""
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
