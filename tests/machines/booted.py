"""A machine for tests, skipped where none can run."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.machines import image, kernel, qemu, uml
from tests.machines.bed import MachineBed
from tests.machines.installation import MachineInstallation
from tests.machines.qemu_bed import QemuBed
from tests.machines.suites import FILE_SYSTEMS, SUITES
from tests.machines.uml_bed import UmlBed
from tests.testbed import images, release
from tests.testbed.paths import CACHE


@contextmanager
def booted(suite: str = "trixie", file_system: str = FILE_SYSTEMS[0]) -> Iterator[MachineInstallation]:
    """An emulated machine that has booted, with lab, client, answers and certificate for an installation."""
    with _allowed(qemu.missing(), fcntl.LOCK_EX):
        built = images.build()
        disk = image.prepare(SUITES[suite], file_system)
        with QemuBed(disk, release.prepare(built), built) as bed:
            yield _prepared(bed)


@contextmanager
def booted_in_user_mode(
    suite: str = "trixie", file_system: str = FILE_SYSTEMS[0], line: Sequence[str] = ()
) -> Iterator[MachineInstallation]:
    """The same in user mode: no kernel of a distribution, and half the time; `line` is for its kernel."""
    with _allowed(uml.missing(), fcntl.LOCK_SH):
        built = images.build()
        made = kernel.prepare()
        disk = image.prepare(SUITES[suite], file_system, made)
        with UmlBed(disk, made, release.prepare(built), built, line) as bed:
            yield _prepared(bed)


@contextmanager
def _allowed(missing: str, lock: int) -> Iterator[None]:
    """One emulated machine alone, or several in user mode, of which each needs one processor."""
    if missing:
        pytest.skip(missing)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "machine.lock").open("w") as file:
        fcntl.flock(file, lock)
        yield


def _prepared(bed: MachineBed) -> MachineInstallation:
    installation = MachineInstallation(bed)
    installation.prepare()
    return installation
