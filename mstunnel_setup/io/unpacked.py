"""Removes the directories that the one file unpacked itself into, once no process runs from them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

_PATIENCE: Final = 10.0
"""Seconds that commands beside this one have to end: all but those that follow something."""
_PAUSE: Final = 0.2
"""Between two looks, in seconds: a start that has just looked at the directory has executed it by then."""


def remove_unpacked(files: Files, clock: Clock, directory: str) -> list[int]:
    """Remove `directory`; returns the processes that still run from it, for which it is kept.

    The caller may run from it itself, and so may those that wait for the caller. Where another process is
    removing it already this returns at once, so that neither waits for the other.
    """
    if files.state(directory) is None:
        return []
    with _alone(files.locate(directory)) as place:
        if place is None:
            return []
        end = clock.monotonic() + _PATIENCE
        unused = 0
        while unused < 2:  # noqa: PLR2004 (see _PAUSE)
            if (using := _users(place)) and clock.monotonic() > end:
                return using
            unused = 0 if using else unused + 1
            clock.sleep(_PAUSE)
        files.remove_tree(directory)
    return []


@contextmanager
def _alone(place: Path) -> Iterator[Path | None]:
    """Lock `place` for its removal; None where another process has."""
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield place
    except BlockingIOError:
        yield None
    finally:
        os.close(handle)


def _users(place: Path) -> list[int]:
    """The processes that run from a directory in `place`, but for this one and those above it."""
    found = {*_holders(place), *_running_from(place)}
    return sorted(found - {os.getpid(), *_above()})


def _holders(place: Path) -> Iterator[int]:
    """Those that hold the lock on a version (scripts/start/start.py), also where their program is hidden."""
    versions = {entry.inode() for entry in os.scandir(place)}
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        # A root without /proc.
        return
    for line in locks.splitlines():
        # 1: FLOCK ADVISORY READ 4711 08:01:1234 0 EOF; one that waits for a lock has -> after the number.
        _number, kind, *_mode, process, inode, _start, _end = line.split()
        if kind == "FLOCK" and int(inode.rpartition(":")[2]) in versions:
            yield int(process)


def _running_from(place: Path) -> Iterator[int]:
    """Those whose program is in it, also before they hold a lock.

    In a container or another root the same path is another file, so the file itself is compared.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(place.resolve()) and program.samefile(process / "exe"):
                yield int(process.name)


def _above() -> Iterator[int]:
    """The processes above this one: a command that waits for this one's end."""
    process = os.getpid()
    while process > 1:
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return
        process = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))
        yield process
