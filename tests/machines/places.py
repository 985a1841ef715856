"""Where disks and kernels are kept, and how Debian is installed for them."""

import shutil
from pathlib import Path

from tests.testbed import cache
from tests.testbed.paths import CACHE

DIRECTORY = CACHE / "machines"
OPTIONS = (
    *("--quiet", "--variant=minbase", "--dpkgopt=path-exclude=/usr/share/doc/*"),
    # A mirror that stands still offers an old state of sid.
    '--aptopt=Acquire::Check-Valid-Until "false"',
)


def remove_older(directory: Path) -> None:
    """Remove what earlier recipes made of the same thing, unless a testbed may use it."""
    name = directory.name.rpartition("-")[0]
    for old in DIRECTORY.glob(f"{name}-*"):
        if old != directory and old.name.rpartition("-")[0] == name and cache.unshared():
            shutil.rmtree(old)
