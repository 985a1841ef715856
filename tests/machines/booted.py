"""A machine for tests, skipped where none can run."""

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


@contextmanager
def booted() -> Iterator[MachineInstallation]:
    """An emulated machine that has booted, with lab, client, answers and certificate for an installation."""
    _skip_where(qemu.missing())
    built = images.build()
    disk = image.prepare(SUITES["trixie"], FILE_SYSTEMS[0])
    with QemuBed(disk, release.prepare(built), built) as bed:
        yield _prepared(bed)


@contextmanager
def booted_in_user_mode(
    suite: str = "trixie", file_system: str = FILE_SYSTEMS[0], line: Sequence[str] = ()
) -> Iterator[MachineInstallation]:
    """The same in user mode: no kernel of a distribution, and half the time; `line` is for its kernel."""
    _skip_where(uml.missing())
    built = images.build()
    made = kernel.prepare()
    disk = image.prepare(SUITES[suite], file_system, made)
    with UmlBed(disk, made, release.prepare(built), built, line) as bed:
        yield _prepared(bed)


def _skip_where(missing: str) -> None:
    if missing:
        pytest.skip(missing)


def _prepared(bed: MachineBed) -> MachineInstallation:
    installation = MachineInstallation(bed)
    installation.prepare()
    return installation
