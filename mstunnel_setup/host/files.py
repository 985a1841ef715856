"""The file writer: the only module that changes the file system.

Every write has six properties: a temporary file in the same directory; an unpredictable name opened with
`O_EXCL | O_NOFOLLOW`; the right mode from birth; `fsync` of the file; `fsync` of the directory; and refusal
of targets that are links or not regular files. Parents are walked by directory handle: a parent that is
a link, or that others may write to, is refused.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from mstunnel_setup.errors import StepError
from mstunnel_setup.host.accounts import is_service_group

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RANDOM_BYTES = 8
# Pipes that the shell of the administrator has opened, as `<(command)` does.
_OPENED_BY_CALLER = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")

Kind = Literal["file", "directory", "link", "other"]


class FileError(StepError):
    """A file could not be read or written as wanted."""


@dataclass(frozen=True)
class FileState:
    """What stands at a path: kind, permission bits, owner, and the target if it is a link."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    target: str | None = None


class Files:
    """Reads and changes files of the host below `root`; paths are absolute host paths."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    @property
    def live(self) -> bool:
        """Whether these are the files of the host that runs now, not those below another root."""
        return self.root.samefile("/")

    def locate(self, path: str) -> Path:
        """Where the host path `path` really lies (below `root`)."""
        return self.root / path.lstrip("/")

    def state(self, path: str) -> FileState | None:
        """What stands at `path`, links not followed; None when nothing does."""
        try:
            found = os.lstat(self.locate(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _explain("look at", path, error) from error
        kind = _kind(found.st_mode)
        target = str(self.locate(path).readlink()) if kind == "link" else None
        return FileState(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, target)

    def read(self, path: str) -> bytes | None:
        """The content of the file at `path` (links followed below root); None when there is none."""
        try:
            handle = os.open(self.locate(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _explain("read", path, error) from error
        return _content(handle, path)

    def read_untrusted(self, path: str, limit: int) -> bytes | None:
        """At most `limit` bytes of a regular file that somebody with fewer rights may have put there.

        None when there is none. Raises FileError for a link, a pipe and the like; nothing is waited for.
        """
        try:
            handle = os.open(self.locate(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _explain("read", path, error) from error
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileError("file-irregular", f"{path} is not a regular file", f"Remove {path}.")
            return stream.read(limit)

    def read_given(self, path: str) -> bytes | None:
        """The content of a file an administrator named: a path of this machine, not below `root`."""
        return Files().read(path)

    def digest(self, path: str) -> str | None:
        """SHA-256 in hex of the file at `path`; None when there is none."""
        content = self.read(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def digest_given(self, path: str) -> str | None:
        """SHA-256 in hex of a file an administrator named; None when there is none."""
        return Files().digest(path)

    def names(self, path: str) -> list[str]:
        """The names in the directory at `path`, sorted; empty when there is none."""
        try:
            return sorted(entry.name for entry in self.locate(path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _explain("list", path, error) from error

    def free_bytes(self, path: str) -> int:
        """Bytes an unprivileged process may still write to the file system of the directory `path`."""
        found = os.statvfs(self.locate(path))
        return found.f_bavail * found.f_frsize

    def write(
        self, path: str, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
    ) -> None:
        """Replace the file at `path` by `content`, atomically and durably.

        Raises FileError when the place is unsafe, full, read-only, or not a regular file.
        """
        with self._parent(path, "write") as (parent, name):
            _refuse_irregular(parent, name, path)
            _sweep(parent, name)
            temporary = f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(temporary, flags, mode & 0o600, dir_fd=parent)
            try:
                # Whoever finds the lock free may take the file for the leftover of a killed process.
                fcntl.flock(handle, fcntl.LOCK_EX)
                _fill(handle, content, mode, owner)
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                _discard(parent, temporary)
                raise
            finally:
                os.close(handle)
            os.fsync(parent)

    @contextmanager
    def appender(self, path: str, mode: int = 0o600, *, durable: bool = True) -> Iterator["Appender"]:
        """Open the file at `path` for appending whole records; created with `mode` when missing.

        `durable` waits until each record is on the disk. Raises FileError for a link, a pipe and the like,
        and for a file with a second name, which may be anybody's.
        """
        with self._parent(path, "append to") as (parent, name):
            _refuse_irregular(parent, name, path)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(name, flags, mode, dir_fd=parent)
            try:
                _refuse_second_name(handle, path)
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
        """Create the directory `path`, or give the one that is there this mode; its parent must exist."""
        with self._parent(path, "create") as (parent, name):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=parent)
            handle = os.open(name, _DIRECTORY, dir_fd=parent)
            try:
                os.fchmod(handle, mode)
                os.fsync(handle)
            finally:
                os.close(handle)
            os.fsync(parent)

    def make_directories(self, path: str, mode: int = 0o755) -> None:
        """Create the directory `path` and its missing parents."""
        pure = PurePosixPath(path)
        for directory in [*reversed(pure.parents), pure]:
            if self.state(str(directory)) is None:
                self.make_directory(str(directory), mode)

    def link(self, path: str, target: str) -> None:
        """Make `path` a symbolic link to `target`, replacing another link atomically."""
        with self._parent(path, "link") as (parent, name):
            _refuse_irregular(parent, name, path, allowed=stat.S_ISLNK)
            _sweep(parent, name)
            temporary = f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"
            os.symlink(target, temporary, dir_fd=parent)
            try:
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                _discard(parent, temporary)
                raise
            os.fsync(parent)

    def set_modified(self, path: str, when: float) -> None:
        """Set when the file at `path` was changed (seconds since 1970); it must be there."""
        with self._parent(path, "touch") as (parent, name):
            os.utime(name, (when, when), dir_fd=parent, follow_symlinks=False)

    def remove(self, path: str) -> None:
        """Remove the file or link at `path`; nothing happens when there is none."""
        if self.state(str(PurePosixPath(path).parent)) is None:
            return
        with self._parent(path, "remove") as (parent, name):
            _sweep(parent, name)
            try:
                os.unlink(name, dir_fd=parent)
            except FileNotFoundError:
                return
            os.fsync(parent)

    def remove_directory(self, path: str) -> bool:
        """Remove the directory at `path`; False when it is not empty."""
        if self.state(path) is None:
            return True
        with self._parent(path, "remove") as (parent, name):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            os.fsync(parent)
            return True

    def remove_tree(self, path: str) -> None:
        """Remove the directory at `path` with all that is in it; nothing happens when there is none."""
        state = self.state(path)
        if state is None or state.kind != "directory":
            return
        with self._parent(path, "remove") as (parent, name):
            shutil.rmtree(name, dir_fd=parent)
            os.fsync(parent)

    @contextmanager
    def _parent(self, path: str, verb: str) -> Iterator[tuple[int, str]]:
        """A handle of the directory above `path`, every component checked, and the last name."""
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts:
            raise FileError(
                "path-not-absolute", f"cannot {verb} {path}: the path is not absolute", "Give a full path."
            )
        handle = -1
        try:
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in pure.parts[1:-1]:
                following = os.open(part, _DIRECTORY, dir_fd=handle)
                os.close(handle)
                handle = following
                _refuse_writable_by_others(handle, part, path)
            yield handle, pure.name
        except OSError as error:
            raise _explain(verb, path, error) from error
        finally:
            if handle >= 0:
                os.close(handle)


class Appender:
    """An open append-only file."""

    def __init__(self, handle: int, path: str, *, durable: bool) -> None:
        self._handle = handle
        self._path = path
        self._durable = durable

    def append(self, record: bytes) -> None:
        """Write `record`; a durable one is on the disk when this returns."""
        try:
            view = memoryview(record)
            while view:
                view = view[os.write(self._handle, view) :]
            if self._durable:
                os.fsync(self._handle)
        except OSError as error:
            raise _explain("append to", self._path, error) from error

    def size(self) -> int:
        """Bytes the file holds."""
        return os.fstat(self._handle).st_size

    def read(self) -> bytes:
        """Everything the file holds."""
        try:
            return os.pread(self._handle, self.size(), 0)
        except OSError as error:
            raise _explain("read", self._path, error) from error

    def fileno(self) -> int:
        """The file descriptor, for locking."""
        return self._handle

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes, durably."""
        try:
            os.ftruncate(self._handle, size)
            os.fsync(self._handle)
        except OSError as error:
            raise _explain("cut", self._path, error) from error


def _content(handle: int, path: str) -> bytes:
    """Everything behind `handle`, which is closed. A named pipe would never end, a device may do harm."""
    try:
        kind = os.fstat(handle).st_mode
        if not (stat.S_ISREG(kind) or path.startswith(_OPENED_BY_CALLER)):
            raise FileError(
                "path-not-regular",
                f"cannot read {path}: it is no regular file but a {_kind(kind)}",
                "Give a regular file.",
            )
        os.set_blocking(handle, True)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read()
    except OSError as error:
        raise _explain("read", path, error) from error
    finally:
        os.close(handle)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def _fill(handle: int, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        os.fchown(handle, *owner)
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    # The file was born with no more than 0600, so widening happens after the data is in.
    os.fchmod(handle, mode)
    os.fsync(handle)


def _sweep(parent: int, name: str) -> None:
    """Remove the temporary files for `name` that processes left behind when they were killed."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    for leftover in filter(ours.fullmatch, os.listdir(parent)):
        if stat.S_ISLNK(os.stat(leftover, dir_fd=parent, follow_symlinks=False).st_mode):
            _discard(parent, leftover)
            continue
        handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _discard(parent, leftover)
        except BlockingIOError:
            continue  # another process is writing this very file at this moment
        finally:
            os.close(handle)


def _discard(parent: int, temporary: str) -> None:
    """Remove a temporary file; what cannot be removed now is swept by a later run."""
    with contextlib.suppress(OSError):
        os.unlink(temporary, dir_fd=parent)


def _refuse_irregular(
    parent: int, name: str, path: str, allowed: Callable[[int], bool] = stat.S_ISREG
) -> None:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not allowed(found.st_mode):
        raise FileError(
            "path-not-regular",
            f"{path} is a {_kind(found.st_mode)}, not what was expected there",
            f"Look at it with `ls -l {path}`, move it away and run the command again.",
        )


def _refuse_second_name(handle: int, path: str) -> None:
    """What is opened for appending is changed in place, and so would be every other name of it."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise FileError(
            "path-not-regular",
            f"{path} is not a file of its own: it is a {_kind(found.st_mode)} with {found.st_nlink} names",
            f"Look at it with `ls -l {path}`, move it away and run the command again.",
        )


def _refuse_writable_by_others(handle: int, part: str, path: str) -> None:
    found = os.fstat(handle)
    by_group = bool(found.st_mode & stat.S_IWGRP) and not is_service_group(found.st_gid)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH or by_group:
        raise FileError(
            "path-unsafe",
            f"the folder {part} above {path} can be changed by other users",
            f"Make root its owner and take the write right from group and others: `chmod go-w {part}`.",
        )


def _explain(verb: str, path: str, error: OSError) -> FileError:
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
        errno.EACCES: ("permission-denied", "Run the command as root."),
        errno.EPERM: ("permission-denied", "Run the command as root."),
    }
    code, hint = hints.get(error.errno or 0, ("file-error", "Mend the cause and run the command again."))
    return FileError(code, f"cannot {verb} {path}: {error.strerror}", hint)
