"""Files that a program with fewer rights may have put there: reading them, and removing whatever lies there.

Both work by handle and follow no link. Neither waits for a pipe, opens a device, nor goes deeper than the
stack or the table of descriptors allows.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from mstunnel_setup.host.safe_paths import DIRECTORY, FileError, explain, name_of_kind

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OWNER_ALONE = 0o700


def read(place: Path, path: str, limit: int) -> bytes | None:
    """The regular file at `place`, of at most `limit` bytes; None when there is none.

    Raises FileError for anything else: `file-irregular`, `file-too-large`. `path` is its name in messages.
    """
    try:
        handle = os.open(place, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _irregular(place, path, error) from error
    try:
        return _bounded(handle, path, limit)
    except OSError as error:
        raise explain("read", path, error) from error
    finally:
        os.close(handle)


def discard(parent: int, name: str) -> None:
    """Remove what is called `name` in the directory `parent`, a directory with all that is in it."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            handle = _opened(parent, name)
            try:
                empty(handle)
            finally:
                os.close(handle)
            os.rmdir(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)


def empty(top: int) -> None:
    """Remove all that is in the directory behind `top`, however deep: what lies deeper is moved up first."""
    while names := _names(top):
        for name in names:
            _take_apart(top, name)


def _take_apart(top: int, name: str) -> None:
    """Remove `name`; of a directory the files only, after its directories were moved beside it."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    handle = _opened(top, name)
    try:
        for below in _names(handle):
            if stat.S_ISDIR(os.stat(below, dir_fd=handle, follow_symlinks=False).st_mode):
                os.close(_opened(handle, below))
                os.rename(below, f".{secrets.token_hex(16)}", src_dir_fd=handle, dst_dir_fd=top)
            else:
                os.unlink(below, dir_fd=handle)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=top)


def _names(handle: int) -> list[str]:
    with os.scandir(handle) as entries:
        return [entry.name for entry in entries]


def _opened(parent: int, name: str) -> int:
    """A handle of a directory; an account that its owner has shut out of it lets itself in."""
    try:
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    except PermissionError:
        os.chmod(name, _OWNER_ALONE, dir_fd=parent)
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    # Without write permission nothing in it can be removed; root needs none.
    if os.fstat(handle).st_uid == os.geteuid():
        os.fchmod(handle, _OWNER_ALONE)
    return handle


def _bounded(handle: int, path: str, limit: int) -> bytes:
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        raise _not_regular(path, kind)
    content = b""
    while len(content) <= limit and (piece := os.read(handle, limit + 1 - len(content))):
        content += piece
    if len(content) > limit:
        raise FileError(
            "file-too-large", f"{path} is longer than {limit} bytes", f"Look at it, then remove {path}."
        )
    return content


def _irregular(place: Path, path: str, error: OSError) -> FileError:
    """The error of what could not even be opened: a link and a socket are what they are."""
    with contextlib.suppress(OSError):
        kind = os.lstat(place).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            return _not_regular(path, kind)
    return explain("read", path, error)


def _not_regular(path: str, kind: int) -> FileError:
    return FileError(
        "file-irregular", f"{path} is not a regular file but a {name_of_kind(kind)}", f"Remove {path}."
    )
