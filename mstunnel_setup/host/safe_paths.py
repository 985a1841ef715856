"""Places where files may be changed: the folder above is reached by handle, and what is unsafe is refused."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

from mstunnel_setup.errors import StepError
from mstunnel_setup.host.accounts import is_own_group, is_service_group, own_name
from mstunnel_setup.paths import AGENT_USER

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Kind = Literal["file", "directory", "link", "other"]


class FileError(StepError):
    """A file could not be read or written as wanted."""


@contextmanager
def above(root: Path, path: str, verb: str) -> Iterator[tuple[int, str]]:
    """A handle of the directory above `path` (below `root`), every component checked, and the last name.

    Raises FileError, also for what the block raises as OSError; `verb` is what was to be done.
    """
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts:
        raise FileError(
            "path-not-absolute", f"cannot {verb} {path}: the path is not absolute", "Give a full path."
        )
    handle = -1
    try:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in pure.parts[1:-1]:
            following = os.open(part, DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = following
            _refuse_writable_by_others(handle, part, path)
        yield handle, pure.name
    except OSError as error:
        raise explain(verb, path, error) from error
    finally:
        if handle >= 0:
            os.close(handle)


def kind_of(mode: int) -> Kind:
    """What a `st_mode` says that it is."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def name_of_kind(mode: int) -> str:
    """What a `st_mode` says that it is, in a word for people."""
    words = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "link",
        stat.S_IFIFO: "named pipe",
        stat.S_IFSOCK: "socket",
    }
    return words.get(stat.S_IFMT(mode), "device")


def refuse_irregular(
    parent: int, name: str, path: str, allowed: Callable[[int], bool] = stat.S_ISREG
) -> None:
    """Raise FileError when something else than a regular file, or what is `allowed`, stands there."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not allowed(found.st_mode):
        raise FileError(
            "path-not-regular",
            f"{path} is a {name_of_kind(found.st_mode)}, not what was expected there",
            f"Look at it with `ls -l {path}`, move it away and run the command again.",
        )


def refuse_second_name(handle: int, path: str) -> None:
    """What is opened for appending is changed in place, and so would be every other name of it."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise FileError(
            "path-not-regular",
            f"{path} is not a file of its own: it is a {name_of_kind(found.st_mode)} "
            f"with {found.st_nlink} names",
            f"Look at it with `ls -l {path}`, move it away and run the command again.",
        )


def _refuse_writable_by_others(handle: int, part: str, path: str) -> None:
    found = os.fstat(handle)
    harmless = is_service_group(found.st_gid) or is_own_group(found.st_gid)
    by_group = bool(found.st_mode & stat.S_IWGRP) and not harmless
    # What the agent may change is its own, and reached by handle: it can put nothing in the way elsewhere.
    if found.st_uid not in (0, os.geteuid(), AGENT_USER) or found.st_mode & stat.S_IWOTH or by_group:
        raise FileError(
            "path-unsafe",
            f"the folder {part} above {path} can be changed by other users",
            _way_out(part, shared=bool(found.st_mode & stat.S_ISVTX)),
        )


def _way_out(part: str, *, shared: bool) -> str:
    if shared:
        return "Name a place where nobody else can put things in the way, such as the home of root."
    return (
        f"Take the write right from group and others: `chmod go-w {part}`; root, or the account of a "
        "rootless gateway, has to own it."
    )


def _more_rights() -> str:
    if os.geteuid() == 0:
        return "Something beyond permissions is in the way, as SELinux or a read-only attribute."
    return f"Let the account {own_name()} do that, or run the command as root."


def explain(verb: str, path: str, error: OSError) -> FileError:
    """The error for people of what the system has refused."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return FileError(
            "path-unsafe",
            f"cannot {verb} {path}: a folder above it is a link or not a folder",
            "Replace the link by a real folder and run the command again.",
        )
    hints = {
        errno.ENOSPC: ("disk-full", "Free some space on that file system and run the command again."),
        errno.EDQUOT: ("disk-full", "Raise the quota or free some space and run the command again."),
        errno.EROFS: ("read-only", "Mount that file system read-write and run the command again."),
        errno.EACCES: ("permission-denied", _more_rights()),
        errno.EPERM: ("permission-denied", _more_rights()),
    }
    code, hint = hints.get(error.errno or 0, ("file-error", "Mend the cause and run the command again."))
    return FileError(code, f"cannot {verb} {path}: {error.strerror}", hint)
