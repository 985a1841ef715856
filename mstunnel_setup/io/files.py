"""The file writer: only this module, safe_paths, untrusted and appender change the file system.

Every write has six properties: a temporary file in the same directory; an unpredictable name opened with
`O_EXCL | O_NOFOLLOW`; the final mode from its creation on; `fsync` of the file; `fsync` of the directory; and
refusal of targets that are links or not regular files. Parents are opened one by one: a parent that is a
link, or that others can write to, is refused.

The agent owns some directories. A file that root writes there gets the agent as its owner, and links there
are not followed. Nor are links below /etc/mstunnel if it belongs to the account of a rootless gateway.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.paths import AGENT_USER, CONFIGURATION
from mstunnel_setup.base.text import text
from mstunnel_setup.io import untrusted
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.errors import PATH_NOT_REGULAR, FileError
from mstunnel_setup.io.safe_paths import (
    DIRECTORY,
    Kind,
    above,
    discard,
    explain,
    kind_of,
    name_of_kind,
    refuse_hard_linked,
    refuse_irregular,
    sweep,
    temporary_name,
)

# A limit for files of the agent or an account that root reads; a configuration is a few kilobytes.
_LARGEST_UNTRUSTED = 4 * 1024 * 1024
# Pipes opened by the administrator's shell, as in `<(command)`.
OPENED_BY_CALLER = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


@dataclass(frozen=True)
class FileState:
    """The state of a path: kind, permission bits, owner, and the target if it is a link."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    target: str | None = None


@dataclass(frozen=True)
class FileSystemSpace:
    """Size and free space of a file system in bytes, and its number of files (0: no limit).

    `free` is the space for unprivileged users.
    """

    device: int
    size: int
    free: int
    files: int
    free_files: int


class Files:
    """Reads and changes files of the host below `root`; paths are absolute host paths."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    @property
    def live(self) -> bool:
        """True for the files of the running host, false below another root."""
        return self.root.samefile("/")

    @property
    def given(self) -> "Files":
        """The files of this machine, not below `root`, for paths that an administrator named."""
        return Files()

    def locate(self, path: str) -> Path:
        """Return the real path (below `root`) of the host path `path`."""
        return self.root / path.lstrip("/")

    def state(self, path: str) -> FileState | None:
        """Return the state of `path`, without following links; None if it does not exist."""
        try:
            found = os.lstat(self.locate(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain("look at", path, error) from error
        kind = kind_of(found.st_mode)
        target = str(self.locate(path).readlink()) if kind == "link" else None
        return FileState(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, target)

    def modified(self, path: str) -> float | None:
        """Return the modification time of `path`, in seconds since 1970; None if it does not exist."""
        try:
            return os.lstat(self.locate(path)).st_mtime
        except OSError:
            return None

    def read(self, path: str) -> bytes | None:
        """Return the content of the file at `path`; None if there is none.

        Links are followed, except in a directory of the agent, or of an account that owns the settings.
        """
        if _is_untrusted(self.locate(path).parent, path):
            return self.read_untrusted(path, _LARGEST_UNTRUSTED)
        try:
            handle = os.open(self.locate(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        return _content(handle, path)

    def read_untrusted(self, path: str, limit: int) -> bytes | None:
        """Return a regular file of at most `limit` bytes that a less privileged program may have created.

        None if there is none. Raises FileError for anything else; follows no link and never blocks.
        """
        return untrusted.read(self.locate(path), path, limit)

    def read_given(self, path: str) -> bytes | None:
        """Return the content of a file that an administrator named, not below `root`.

        None if there is none. Raises UsageError if it cannot be read.
        """
        try:
            return self.given.read(path)
        except FileError as error:
            raise UsageError(error.code, error.message, error.hint) from error

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of the file at `path` in hex; None if there is none."""
        content = self.read(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def digest_given(self, path: str) -> str | None:
        """Return the SHA-256 in hex of a file that an administrator named; raises as `read_given`."""
        content = self.read_given(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def names(self, path: str) -> list[str]:
        """Return the sorted names in the directory at `path`; empty if there is none."""
        try:
            return sorted(entry.name for entry in self.locate(path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise explain("list", path, error) from error

    def free_bytes(self, path: str) -> int:
        """Return the bytes available to unprivileged processes on the file system of the directory `path`."""
        found = os.statvfs(self.locate(path))
        return found.f_bavail * found.f_frsize

    def space(self, path: str) -> FileSystemSpace | None:
        """Return the space on the file system of `path`; None if `path` is missing or inaccessible."""
        try:
            found, device = os.statvfs(self.locate(path)), self.locate(path).stat().st_dev
        except OSError:
            return None
        unit = found.f_frsize
        return FileSystemSpace(
            device, found.f_blocks * unit, found.f_bavail * unit, found.f_files, found.f_favail
        )

    def write(
        self, path: str, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
    ) -> None:
        """Replace the file at `path` with `content`, atomically and durably.

        Raises FileError if the path is unsafe or not a regular file, or the file system is full or read-only.
        """
        with self._replacing(path, mode) as handle:
            _fill(handle, content, mode, owner or _owner_in(self.locate(path).parent))

    @contextmanager
    def growing(self, path: str) -> Iterator[Appender]:
        """Write a file of mode 0600 piece by piece; it appears at `path` when the block succeeds.

        Until then it is a temporary file in the same directory, so large content need not fit in memory.
        Raises FileError as `write` does.
        """
        with self._replacing(path, 0o600) as handle:
            yield Appender(handle, path, durable=False)
            os.fsync(handle)

    @contextmanager
    def _replacing(self, path: str, mode: int) -> Iterator[int]:
        """Create a file that replaces the one at `path` when the block succeeds."""
        with above(self.root, path, "write") as (parent, name):
            refuse_irregular(parent, name, "write", path)
            sweep(parent, name)
            temporary = temporary_name(name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(temporary, flags, mode & 0o600, dir_fd=parent)
            try:
                # A file without a lock counts as the leftover of a killed process (`sweep`).
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield handle
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                discard(parent, temporary)
                raise
            finally:
                os.close(handle)
            os.fsync(parent)

    @contextmanager
    def appender(self, path: str, mode: int = 0o600, *, durable: bool = True) -> Iterator[Appender]:
        """Open the file at `path` for appending whole records; create it with `mode` if it is missing.

        With `durable`, an append returns when the record is on disk. Raises FileError for anything but a
        regular file, and for a file with a second hard link, which may belong to another user.
        """
        with above(self.root, path, "append to") as (parent, name):
            refuse_irregular(parent, name, "append to", path)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(name, flags, mode, dir_fd=parent)
            try:
                refuse_hard_linked(handle, "append to", path)
                if durable:
                    os.fsync(parent)
            except BaseException:
                os.close(handle)
                raise
        try:
            yield Appender(handle, path, durable=durable)
        finally:
            os.close(handle)

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """Create the directory `path`, or set the mode of an existing one; its parent must exist."""
        with above(self.root, path, "create") as (parent, name):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=parent)
            handle = os.open(name, DIRECTORY, dir_fd=parent)
            try:
                os.fchmod(handle, mode)
                os.fsync(handle)
            finally:
                os.close(handle)
            os.fsync(parent)

    def missing(self, path: str) -> list[str]:
        """Return the directories to create for `path` to exist, topmost first."""
        pure = PurePosixPath(path)
        directories = [str(directory) for directory in (*reversed(pure.parents), pure)]
        return [directory for directory in directories if self.state(directory) is None]

    def make_directories(self, path: str, mode: int = 0o755) -> None:
        """Create the directory `path` and its missing parents."""
        for directory in self.missing(path):
            self.make_directory(directory, mode)

    def link(self, path: str, target: str) -> None:
        """Make `path` a symbolic link to `target`, replacing another link atomically."""
        with above(self.root, path, "link") as (parent, name):
            refuse_irregular(parent, name, "link", path, allowed=stat.S_ISLNK)
            sweep(parent, name)
            temporary = temporary_name(name)
            os.symlink(target, temporary, dir_fd=parent)
            try:
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                discard(parent, temporary)
                raise
            os.fsync(parent)

    def give_name(self, path: str, name: str) -> None:
        """Rename the entry at `path`, of any kind, to the unused `name` in its directory."""
        with above(self.root, path, "rename") as (parent, earlier):
            os.rename(earlier, name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)

    def give(self, path: str, uid: int, gid: int) -> None:
        """Change the owner and group of a directory and its content, without following links."""
        with above(self.root, path, "change the owner of") as (parent, name):
            handle = os.open(name, DIRECTORY, dir_fd=parent)
            try:
                for _, directories, names, directory in os.fwalk(".", dir_fd=handle):
                    for entry in (*directories, *names):
                        os.chown(entry, uid, gid, dir_fd=directory, follow_symlinks=False)
                os.fchown(handle, uid, gid)
                os.fsync(handle)
            finally:
                os.close(handle)

    def set_modified(self, path: str, when: float) -> None:
        """Set the modification time (seconds since 1970) of the file at `path`, which must exist."""
        with above(self.root, path, "touch") as (parent, name):
            os.utime(name, (when, when), dir_fd=parent, follow_symlinks=False)

    def remove(self, path: str) -> None:
        """Remove the file or link at `path`, if there is one."""
        if self.state(str(PurePosixPath(path).parent)) is None:
            return
        with above(self.root, path, "remove") as (parent, name):
            sweep(parent, name)
            try:
                os.unlink(name, dir_fd=parent)
            except FileNotFoundError:
                return
            os.fsync(parent)

    def remove_directory(self, path: str) -> bool:
        """Remove the directory at `path`; return False if it is not empty."""
        if self.state(path) is None:
            return True
        with above(self.root, path, "remove") as (parent, name):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            os.fsync(parent)
            return True

    def remove_tree(self, path: str) -> None:
        """Remove the directory at `path` with its content, if there is one."""
        state = self.state(path)
        if state is not None and state.kind == "directory":
            self.discard(path)

    def discard(self, path: str, most: int = untrusted.MOST_ENTRIES) -> None:
        """Remove the entry at `path`, of any kind: a less privileged program may have created it.

        Raises FileError for a directory after `most` entries: another process may keep refilling it.
        """
        with above(self.root, path, "remove") as (parent, name):
            untrusted.discard(parent, name, most)
            os.fsync(parent)

    def empty(self, path: str) -> None:
        """Remove the content of the directory at `path`, if there is one."""
        state = self.state(path)
        if state is None or state.kind != "directory":
            return
        with above(self.root, path, "empty") as (parent, name):
            handle = os.open(name, DIRECTORY, dir_fd=parent)
            try:
                untrusted.empty(handle)
                os.fsync(handle)
            finally:
                os.close(handle)


def _other_owner(directory: Path) -> int | None:
    """Return the directory's owner; None for root, for this process's user, or without a directory.

    Raises FileError if the owner cannot be determined: the agent could not read root's files there.
    """
    try:
        owner = os.lstat(directory).st_uid
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise explain("look at", str(directory), error) from error
    return None if owner in (0, os.geteuid()) else owner


def _is_untrusted(directory: Path, path: str) -> bool:
    """Return whether the owner of the directory of `path` could redirect root to another file by a link.

    Users' links are followed elsewhere: an administrator may name files in a home directory.
    """
    owner = _other_owner(directory)
    return owner is not None and (owner == AGENT_USER or path.startswith(f"{CONFIGURATION}/"))


def _owner_in(directory: Path) -> tuple[int, int] | None:
    """Return the owner for new files in the directory; None for the writing process."""
    return (AGENT_USER, -1) if _other_owner(directory) == AGENT_USER else None


def _unreadable(path: str, error: OSError) -> FileError:
    """Return the error for a path whose links were followed."""
    if error.errno != errno.ELOOP:
        return explain("read", path, error)
    return FileError(
        "path-loop",
        "cannot read {path}: its symbolic links form a loop",
        hint="Check them with `namei {path}`.",
        path=path,
    )


def _content(handle: int, path: str) -> bytes:
    """Return the content of `handle` and close it.

    A named pipe (may block) or a device (may do harm) is refused.
    """
    try:
        kind = os.fstat(handle).st_mode
        if not (stat.S_ISREG(kind) or path.startswith(OPENED_BY_CALLER)):
            raise PATH_NOT_REGULAR(
                verb=text("read"), path=path, kind=name_of_kind(kind), expected=text("regular file")
            )
        os.set_blocking(handle, True)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read()
    except OSError as error:
        raise explain("read", path, error) from error
    finally:
        os.close(handle)


def _fill(handle: int, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        os.fchown(handle, *owner)
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    # The file was created with at most 0600; a wider mode is set once the content is complete.
    os.fchmod(handle, mode)
    os.fsync(handle)
