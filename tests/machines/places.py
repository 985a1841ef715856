"""Where disks and kernels are kept, and how Debian is installed for them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from scripts.bundle import wheels
from tests.testbed import cache
from tests.testbed.paths import CACHE

DIRECTORY = CACHE / "machines"
OPTIONS = (
    *("--quiet", "--variant=minbase", "--dpkgopt=path-exclude=/usr/share/doc/*"),
    # A mirror that stands still offers an old state of sid.
    '--aptopt=Acquire::Check-Valid-Until "false"',
)


def kept(name: str, recipe: object, make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled by this recipe, now or earlier. Call it while writing to the cache."""
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    # A testbed may use what an earlier recipe made.
    return wheels.kept(DIRECTORY / f"{name}-{digest}", make, cache.unshared)
