"""Protection of this process from code that others can change, and from readers of its memory."""

import ctypes
import os
import resource
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.io.accounts import is_own_group, is_service_group

_PACKAGE = Path(__file__).absolute().parents[1]


def refuse_code_of_others() -> None:
    """Raise CheckError if root runs this program and another user can change its code.

    This checks the interpreter and its library, every directory of the module search path with its parents,
    all files of the package, and the archive on that path in which a packed program has its modules.
    """
    if os.geteuid() != 0:
        return
    code = (Path(sys.executable), Path(__spec__.origin or __file__), Path(os.__file__))
    roots = (*code, Path(sys.prefix), _PACKAGE, *map(Path, sys.path))
    found = next(changeable(roots), None) or next(changeable_below(_PACKAGE), None)
    if found is not None:
        raise CheckError(
            "program-unsafe",
            "users other than root can change {path}, and root would run their code",
            hint="Restrict it to root: `chown root:root {path}` and `chmod go-w {path}`. Or install "
            "the program where only root can write.",
            path=found,
        )


def changeable(paths: Iterable[Path], *, own: bool = False) -> Iterator[Path]:
    """Yield the paths, and their parents, that a user other than root can change or replace.

    With `own` the user of this process may change them. Links are followed, and the directories that contain
    them are checked too. Missing paths are ignored.
    """
    seen: set[Path] = set()
    for path in paths:
        for place in (path.absolute(), path.resolve()):
            for part in (place, *place.parents):
                if part in seen:
                    break
                seen.add(part)
                with suppress(OSError):
                    if _others_may_change(part.lstat(), own=own):
                        yield part


def _others_may_change(found: os.stat_result, *, own: bool = False) -> bool:
    if found.st_uid not in ({0, os.geteuid()} if own else {0}):
        return True
    # In a sticky directory such as /tmp only root can remove or rename root's files; a link has no mode.
    if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid != 0 and not is_service_group(found.st_gid)
    return bool(by_group and not (own and is_own_group(found.st_gid)))


def changeable_below(directory: str | Path) -> Iterator[Path]:
    """Yield the entries of a directory, at every depth, that a user other than root can change.

    This runs at every start, and `os.scandir` is ten times as fast as `Path.walk`. Python creates and removes
    temporary files in `__pycache__`, so missing entries are ignored.
    """
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if _others_may_change(entry.stat(follow_symlinks=False)):
                    yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from changeable_below(entry.path)


# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def keep_private() -> None:
    """Deny other programs of the account access to this process's memory, and disable core dumps.

    This clears PR_SET_DUMPABLE (prctl(2)), which execve(2) resets; the core limit is inherited.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
