"""The cache of images is shared by all testbeds of a checkout: who may write, and who may remove."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.paths import CACHE, RUNS

# The descriptor of the lock; the end of the program closes it.
_held: list[int] = []


@contextmanager
def writing() -> Iterator[None]:
    """Alone in changing the cache; two Podmans that do not see each other's locks would spoil one storage."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold() -> None:
    """Until this program ends, no other process removes content of the cache."""
    if not _held:
        CACHE.mkdir(parents=True, exist_ok=True)
        _held.append(os.open(CACHE / "in-use", os.O_WRONLY | os.O_CREAT, 0o644))
        fcntl.flock(_held[0], fcntl.LOCK_SH)


def unshared() -> bool:
    """Whether no other program holds the cache and no testbed was left running; call it while writing."""
    if any(Path("/proc", path.read_text().strip(), "ns").exists() for path in RUNS.glob("*/pid")):
        return False
    try:
        fcntl.flock(_held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        fcntl.flock(_held[0], fcntl.LOCK_SH)
    return True
