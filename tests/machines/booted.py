"""A machine for tests: one at a time, skipped where none can run."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.machines import image, qemu
from tests.machines.bed import MachineBed
from tests.machines.installation import MachineInstallation
from tests.machines.suites import FILE_SYSTEMS, SUITES
from tests.testbed import images, release
from tests.testbed.paths import CACHE


@contextmanager
def booted(suite: str = "trixie", file_system: str = FILE_SYSTEMS[0]) -> Iterator[MachineInstallation]:
    """A machine that has booted, with lab, client, answers and certificate for an installation."""
    if reason := qemu.missing():
        pytest.skip(reason)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = images.build()
        disk = image.prepare(SUITES[suite], file_system)
        with MachineBed(disk, release.prepare(built), built) as bed:
            installation = MachineInstallation(bed)
            installation.prepare()
            yield installation
