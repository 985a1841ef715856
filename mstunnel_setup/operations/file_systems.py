"""Free space on the file systems that a gateway writes to; hardened hosts have several for state and logs."""

from collections.abc import Iterable, Iterator
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, declare
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.health_report import HealthState, ReportedRow
from mstunnel_setup.io.files import Files, FileSystemSpace

_PLACES: Final = {
    "disk-space-state": paths.STATE,
    "disk-space-agent": paths.AGENT_STATE,
    "disk-space-containers": paths.CONTAINER_STORE,
    "disk-space-docker": "/var/lib/docker",
    "disk-space-log": paths.LOG,
    "disk-space-journal": "/var/log/journal",
}
"""The directory of each row. If several are on one file system, only the first is shown."""

_HINT: Final = (
    "Find what takes the space with `du -xh --max-depth=1 {path}`, and remove it or enlarge the file system; "
    "`journalctl --vacuum-size=500M` removes old logs."
)
DISK_FULL: Final = declare(CheckError, "file-system-full", "the file system of {path} is full: {seen}", _HINT)
DISK_NEARLY_FULL: Final = declare(
    CheckError, "file-system-nearly-full", "the file system of {path} is nearly full: {seen}", _HINT
)

# Each limit is a number of bytes or a share of the file system, whichever is less: a file system of 2 GB for
# logs is not full with 1 GB left.
_FULL: Final = (1024**3, 0.05)
_NEARLY_FULL: Final = (3 * 1024**3, 0.1)


def judge_file_systems(files: Files) -> tuple[ReportedRow, ...]:
    """Return one row for each file system.

    The agent already reports the file system of the configuration, so it is a row here only if it is nearly
    full or full.
    """
    reported = files.space(paths.CONFIGURATION)
    seen = set[int]()
    rows = []
    for name, path in _PLACES.items():
        space = files.space(path)
        if space is None or space.device in seen:
            continue
        seen.add(space.device)
        state = _judge(space)
        if state is HealthState.HEALTHY and reported is not None and space.device == reported.device:
            continue
        words = text("{free:.1f} of {size:.1f} GB free", free=space.free / 1024**3, size=space.size / 1024**3)
        if _is_below(_FULL, space.free_files, space.files):
            words = text("{free} of {files} files left", free=space.free_files, files=space.files)
        title = text("Disk space of {path}", path=path)
        rows.append(ReportedRow(id=name, title=title, state=state, text=words, value=space.free))
    return tuple(rows)


def file_system_notices(rows: Iterable[ReportedRow]) -> Iterator[Problem]:
    """Yield a problem for each file system that is full or nearly full."""
    kinds = {HealthState.UNHEALTHY: DISK_FULL, HealthState.WARNING: DISK_NEARLY_FULL}
    for row in rows:
        if row.state in kinds:
            yield kinds[row.state](path=_PLACES[row.id], seen=row.text).problem


def _judge(space: FileSystemSpace) -> HealthState:
    for limit, state in ((_FULL, HealthState.UNHEALTHY), (_NEARLY_FULL, HealthState.WARNING)):
        if _is_below(limit, space.free, space.size) or _is_below(limit, space.free_files, space.files):
            return state
    return HealthState.HEALTHY


def _is_below(limit: tuple[float, float], free: int, size: int) -> bool:
    """Return True if `free` is below the limit, which is a number or a share of `size`, whichever is less."""
    number, share = limit
    return free < min(number, share * size)
