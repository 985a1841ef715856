"""One machine for all tests of a file; skipped where none can run."""

import fcntl
from collections.abc import Iterator

import pytest

from tests.machines import image, qemu
from tests.machines.bed import MachineBed
from tests.machines.installation import MachineInstallation
from tests.machines.suites import FILE_SYSTEMS, SUITES
from tests.testbed import images, release
from tests.testbed.paths import CACHE


def machine(suite: str = "trixie", file_system: str = FILE_SYSTEMS[0]) -> Iterator[MachineInstallation]:
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


@pytest.fixture(scope="module")
def trixie() -> Iterator[MachineInstallation]:
    yield from machine()


@pytest.fixture(scope="module", params=FILE_SYSTEMS)
def with_file_system(request: pytest.FixtureRequest) -> Iterator[MachineInstallation]:
    yield from machine(file_system=str(request.param))
