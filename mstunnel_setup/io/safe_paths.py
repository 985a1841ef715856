"""Safe access to paths: parents are opened component by component, and unsafe ones are refused.

Files are written as temporary files next to their targets; `sweep` removes those of killed processes.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Literal

from mstunnel_setup.base.errors import Declared, UsageError
from mstunnel_setup.base.paths import AGENT_USER
from mstunnel_setup.base.text import text
from mstunnel_setup.io.accounts import is_own_group, is_service_group, own_name
from mstunnel_setup.io.errors import (
    DISK_FULL,
    FILE_FAILED,
    PATH_NOT_REGULAR,
    PATH_UNSAFE,
    PERMISSION_DENIED,
    READ_ONLY,
    FileError,
)

_RANDOM_BYTES = 8
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Kind = Literal["file", "directory", "link", "other"]

_CAUSES: Mapping[int, Declared[FileError]] = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: PERMISSION_DENIED,
    errno.EPERM: PERMISSION_DENIED,
}


@contextmanager
def above(root: Path, path: str, verb: str) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the checked parent of `path` (below `root`), and the last name.

    Every component is checked. A directory that others can write to is refused, except one like /tmp above a
    directory of ours. Raises FileError, also for an OSError of the block; `verb` is the intended operation.
    """
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts:
        raise FileError(
            "path-not-absolute",
            "cannot {verb} {path}: the path is not absolute",
            hint="Use an absolute path without `..`.",
            verb=text(verb),
            path=path,
        )
    handle = -1
    try:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        shared = ""
        for part in pure.parts[1:-1]:
            following = os.open(part, DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = following
            found = os.fstat(handle)
            if shared and found.st_uid not in (0, os.geteuid()):
                raise _unsafe(shared, verb, path)
            shared = part if _others_can_write(found) else ""
            # The agent can change only its own directories, which are opened by descriptor, so that no link
            # redirects us. In root's sticky directories, such as /tmp (inode(7)), others can add entries but
            # cannot change ours: entries directly in them may be anyone's, but our own directories below them
            # are safe.
            trusted = found.st_uid in (0, os.geteuid(), AGENT_USER)
            keeps_entries = found.st_uid == 0 and found.st_mode & stat.S_ISVTX
            if not trusted or (shared and not keeps_entries):
                raise _unsafe(part, verb, path)
        if shared:
            raise _unsafe(shared, verb, path)
        yield handle, pure.name
    except OSError as error:
        raise explain(verb, path, error) from error
    finally:
        if handle >= 0:
            os.close(handle)


def kind_of(mode: int) -> Kind:
    """Return the kind of file that a `st_mode` describes."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def name_of_kind(mode: int) -> str:
    """Return the kind of file that a `st_mode` describes, for messages."""
    words = {
        stat.S_IFREG: text("file"),
        stat.S_IFDIR: text("directory"),
        stat.S_IFLNK: text("link"),
        stat.S_IFIFO: text("named pipe"),
        stat.S_IFSOCK: text("socket"),
    }
    return words.get(stat.S_IFMT(mode), text("device"))


def refuse_irregular(
    parent: int, name: str, verb: str, path: str, allowed: Callable[[int], bool] = stat.S_ISREG
) -> None:
    """Raise FileError unless `name` is unused or a regular file (with `allowed`: a link)."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not allowed(found.st_mode):
        expected = text("regular file") if allowed is stat.S_ISREG else text("link")
        raise PATH_NOT_REGULAR(
            verb=text(verb), path=path, kind=name_of_kind(found.st_mode), expected=expected
        )


def refuse_hard_linked(handle: int, verb: str, path: str) -> None:
    """Raise FileError unless this is a regular file with one name: an append would change all its names."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        kind = name_of_kind(found.st_mode)
        raise PATH_NOT_REGULAR(verb=text(verb), path=path, kind=kind, expected=text("regular file"))
    if found.st_nlink > 1:
        raise FileError(
            "path-hard-linked",
            "{path} has {count} hard links; expected 1",
            hint="Check it with `ls -l {path}`, move it away and run the command again.",
            path=path,
            count=found.st_nlink,
        )


def _others_can_write(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    # This check comes last because it starts `getent` for every group that is not in /etc/group.
    by_group = found.st_mode & stat.S_IWGRP
    return bool(by_group and not (is_service_group(found.st_gid) or is_own_group(found.st_gid)))


def _unsafe(part: str, verb: str, path: str) -> FileError:
    problem = text("other users can change the directory {part} above it", part=part)
    return PATH_UNSAFE(verb=text(verb), path=path, problem=problem)


def explain(verb: str, path: str, error: OSError) -> FileError:
    """Return the FileError for an OSError of the operation `verb` on `path`."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        problem = text("a directory above it is a link or not a directory")
        return PATH_UNSAFE(verb=text(verb), path=path, problem=problem)
    declared = _CAUSES.get(error.errno or 0, FILE_FAILED)
    return declared(verb=text(verb), path=path, reason=text(error.strerror or str(error)), account=own_name())


def visible_kind(path: Path) -> Kind | None:
    """Return the kind of file at `path`, links followed; None if this user cannot see it.

    This is for probed paths: a file in a closed directory is of no use to this user.
    """
    try:
        return kind_of(path.stat().st_mode)
    except OSError:
        return None


def kind_at(path: Path) -> Kind | None:
    """Return the kind of file at `path`, links followed; None if there is none.

    Raises UsageError if that cannot be determined: in a closed directory, or for a name that is too long.
    """
    try:
        return kind_of(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        found = explain("look at", str(path), error)
        raise UsageError(found.code, found.message, found.hint) from error


def refuse_present(path: Path) -> None:
    """Raise UsageError `file-exists` unless `path` is free for a new file."""
    if kind_at(path) is not None:
        raise UsageError(
            "file-exists",
            "{path} already exists",
            hint="Give the name of a new file.",
            path=path,
        )


def temporary_name(name: str) -> str:
    """Return an unpredictable name for a temporary file that will replace `name`."""
    return f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"


def sweep(parent: int, name: str) -> None:
    """Remove temporary files for `name` that killed processes left behind."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    for leftover in filter(ours.fullmatch, os.listdir(parent)):
        # The file may be gone, still being written by another process, or not removable by us.
        with suppress(OSError):
            _remove_unused(parent, leftover)


def _remove_unused(parent: int, leftover: str) -> None:
    """Remove a leftover of any kind; raises BlockingIOError for a file that is still being written."""
    if not stat.S_ISREG(os.stat(leftover, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(leftover, dir_fd=parent)
        return
    handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(leftover, dir_fd=parent)
    finally:
        os.close(handle)


def discard(parent: int, temporary: str) -> None:
    """Remove a temporary file; a later run removes it if this fails."""
    with suppress(OSError):
        os.unlink(temporary, dir_fd=parent)
