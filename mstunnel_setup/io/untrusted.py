"""Reading and removing files that a less privileged program may have created.

Both use file descriptors and follow no link. Neither blocks on a pipe, opens a device, or recurses deeper
than the stack and the descriptor table allow.
"""

import contextlib
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from mstunnel_setup.io.errors import FILE_IRREGULAR, FileError
from mstunnel_setup.io.safe_paths import DIRECTORY, explain, name_of_kind

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OWNER_ALONE = 0o700
# More than a container engine's storage holds.
MOST_ENTRIES: Final = 10_000_000
_BATCH: Final = 100
_PIECE: Final = 256 * 1024


def read(place: Path, path: str, limit: int) -> bytes | None:
    """Return the regular file at `place`, of at most `limit` bytes; None if there is none.

    Raises FileError `file-irregular` or `file-too-large` for anything else. `path` is its name in messages.
    """
    try:
        handle = os.open(place, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _irregular(place, path, error) from error
    try:
        kind = os.fstat(handle).st_mode
        content = bytearray()
        while stat.S_ISREG(kind) and len(content) <= limit:
            # os.read() allocates a buffer of the requested size, however small the file is.
            piece = os.read(handle, min(_PIECE, limit + 1 - len(content)))
            if not piece:
                return bytes(content)
            content += piece
    except OSError as error:
        raise explain("read", path, error) from error
    finally:
        os.close(handle)
    if not stat.S_ISREG(kind):
        raise FILE_IRREGULAR(path=path, kind=name_of_kind(kind))
    raise FileError(
        "file-too-large",
        "{path} is larger than {limit} bytes",
        hint="Inspect {path}, then remove it.",
        path=path,
        limit=limit,
    )


def discard(parent: int, name: str, most: int = MOST_ENTRIES) -> None:
    """Remove the entry `name` of the directory `parent`, including a directory's content.

    Raises OSError ENOTEMPTY for a directory of more than `most` entries, or one that another process refills;
    `most` entries are gone then.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            handle = _opened(parent, name)
            try:
                empty(handle, most)
            finally:
                os.close(handle)
            os.rmdir(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)


def empty(top: int, most: int = MOST_ENTRIES) -> None:
    """Remove the content of the directory `top` at any depth: deeper directories are first moved up.

    Raises OSError ENOTEMPTY as `discard` does.
    """
    _Emptying(top, most).run()


@dataclass
class _Emptying:
    """Empties the directory `top`; `left` is the number of entries it may still process."""

    top: int
    left: int

    def run(self) -> None:
        while names := self._names(self.top):
            for name in names:
                self._take_apart(name)

    def _take_apart(self, name: str) -> None:
        """Remove `name`; for a directory, move its subdirectories next to it and remove its files first."""
        if not stat.S_ISDIR(os.stat(name, dir_fd=self.top, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=self.top)
            return
        handle = _opened(self.top, name)
        try:
            while names := self._names(handle):
                for below in names:
                    self._take_out(handle, below)
        finally:
            os.close(handle)
        os.rmdir(name, dir_fd=self.top)

    def _take_out(self, handle: int, name: str) -> None:
        if stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            os.close(_opened(handle, name))
            os.rename(name, f".{secrets.token_hex(16)}", src_dir_fd=handle, dst_dir_fd=self.top)
        else:
            os.unlink(name, dir_fd=handle)

    def _names(self, handle: int) -> list[str]:
        """Return the first names in a directory, few enough to fit into memory."""
        with os.scandir(handle) as entries:
            found = [entry.name for entry in islice(entries, _BATCH)]
        self.left -= len(found)
        if self.left < 0:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        return found


def _opened(parent: int, name: str) -> int:
    """Return a descriptor of a directory, and restore its owner's permissions if necessary.

    Root takes the directory away from its owner, who could otherwise refill it as fast as it is emptied.
    """
    try:
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    except PermissionError:
        _make_accessible(parent, name)
        handle = os.open(name, DIRECTORY, dir_fd=parent)
    with contextlib.suppress(PermissionError):
        os.fchown(handle, os.geteuid(), -1)
    # Removing entries requires write permission, which no other user may have.
    if os.fstat(handle).st_uid == os.geteuid():
        os.fchmod(handle, _OWNER_ALONE)
    return handle


def _make_accessible(parent: int, name: str) -> None:
    """Give the owner of a directory all permissions; follow no link that has replaced it."""
    # An O_PATH descriptor needs no permission for the directory itself. `os.chmod` with `dir_fd` follows
    # links.
    handle = os.open(name, DIRECTORY | os.O_PATH, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(_OWNER_ALONE)
    finally:
        os.close(handle)


def _irregular(place: Path, path: str, error: OSError) -> FileError:
    """Return the error for a file that could not be opened; it names the kind of a link, socket and so on."""
    with contextlib.suppress(OSError):
        kind = os.lstat(place).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            return FILE_IRREGULAR(path=path, kind=name_of_kind(kind))
    return explain("read", path, error)
