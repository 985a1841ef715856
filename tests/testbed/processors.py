"""A limit to the processor time of a machine: several behave like servers with processors of their own.

A machine's own cgroups are of version 2. The limit is a group of version 1 around it, where the kernel of
this computer has the cpu controller there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.testbed.machine import Machine

_CONTROLLER: Final = Path("/sys/fs/cgroup/cpu")
_PERIOD: Final = 100_000
"""Microseconds, the kernel's default."""
_FIRST: Final = 262_144
"""The greatest share: what else runs on this computer takes nothing of the number of processors."""


def can_be_limited() -> bool:
    """Whether this computer can limit machines."""
    return (_CONTROLLER / "cpu.cfs_quota_us").exists()


@contextmanager
def limited(machine: Machine, processors: float) -> Iterator[None]:
    """Give a machine, whatever it starts meanwhile included, this number of processors and no more."""
    identity = machine.namespace.podman("inspect", "--format={{.Id}}", machine.name).stdout.strip()
    group = _CONTROLLER / f"testbed-{identity}"
    group.mkdir()
    (group / "cpu.cfs_quota_us").write_text(str(round(processors * _PERIOD)))
    (group / "cpu.shares").write_text(str(_FIRST))
    _move(identity, group)
    try:
        yield
    finally:
        _move(identity, _CONTROLLER)
        group.rmdir()


def _move(identity: str, group: Path) -> None:
    """Move all processes of a container; one may end meanwhile."""
    for groups in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if identity in groups.read_text():
                (group / "cgroup.procs").write_text(groups.parent.name)
