"""Where disks and kernels are kept, and how Debian is installed for them."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

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
    directory = DIRECTORY / f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    if not directory.is_dir():
        partial = directory.with_name(f"{directory.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(directory)
        _remove_older(directory)
    return directory


def _remove_older(directory: Path) -> None:
    """Remove what earlier recipes made of the same thing, unless a testbed may use it."""
    name = directory.name.rpartition("-")[0]
    for old in DIRECTORY.glob(f"{name}-*"):
        if old != directory and old.name.rpartition("-")[0] == name and cache.unshared():
            shutil.rmtree(old)
