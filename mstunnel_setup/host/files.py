"""The file writer: only this module and those it rests on (places, appender) change the file system.

Every write has six properties: a temporary file in the same directory; an unpredictable name opened with
`O_EXCL | O_NOFOLLOW`; the right mode from birth; `fsync` of the file; `fsync` of the directory; and refusal
of targets that are links or not regular files. Parents are walked by directory handle: a parent that is
a link, or that others may write to, is refused.

The agent has folders of its own: what root writes there belongs to it, and a link there is not followed.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mstunnel_setup.errors import UsageError
from mstunnel_setup.host import untrusted
from mstunnel_setup.host.appender import Appender
from mstunnel_setup.host.safe_paths import (
    DIRECTORY,
    FileError,
    Kind,
    above,
    explain,
    kind_of,
    name_of_kind,
    refuse_irregular,
    refuse_second_name,
)
from mstunnel_setup.paths import AGENT_USER

_RANDOM_BYTES = 8
# What the agent leaves for root to read; a configuration is a few kilobytes.
_LARGEST_OF_AGENT = 4 * 1024 * 1024
# Pipes that the shell of the administrator has opened, as `<(command)` does.
_OPENED_BY_CALLER = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


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
            raise explain("look at", path, error) from error
        kind = kind_of(found.st_mode)
        target = str(self.locate(path).readlink()) if kind == "link" else None
        return FileState(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, target)

    def read(self, path: str) -> bytes | None:
        """The content of the file at `path`; None when there is none.

        Links are followed below root, but not one in a folder of the agent.
        """
        if _is_agents(self.locate(path).parent):
            return self.read_untrusted(path, _LARGEST_OF_AGENT)
        try:
            handle = os.open(self.locate(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        return _content(handle, path)

    def read_untrusted(self, path: str, limit: int) -> bytes | None:
        """A regular file of at most `limit` bytes that somebody with fewer rights may have put there.

        None when there is none. Raises FileError for anything else; links are not followed, nothing is
        waited for.
        """
        return untrusted.read(self.locate(path), path, limit)

    def read_given(self, path: str) -> bytes | None:
        """The content of a file an administrator named: a path of this machine, not below `root`.

        None when there is none. Raises UsageError when it cannot be read: another one has to be named.
        """
        try:
            return Files().read(path)
        except FileError as error:
            raise UsageError(error.code, error.message, error.hint) from error

    def digest(self, path: str) -> str | None:
        """SHA-256 in hex of the file at `path`; None when there is none."""
        content = self.read(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def digest_given(self, path: str) -> str | None:
        """SHA-256 in hex of a file an administrator named; raises as `read_given`."""
        content = self.read_given(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def names(self, path: str) -> list[str]:
        """The names in the directory at `path`, sorted; empty when there is none."""
        try:
            return sorted(entry.name for entry in self.locate(path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise explain("list", path, error) from error

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
        with self._replacing(path, mode) as handle:
            _fill(handle, content, mode, owner or _heir(self.locate(path).parent))

    @contextmanager
    def growing(self, path: str) -> Iterator[Appender]:
        """A file of mode 0600 that is written piece by piece, and stands at `path` when the block ends well.

        Until then it is a temporary one in the same directory, so what is long need not be in memory.
        Raises FileError as `write` does.
        """
        with self._replacing(path, 0o600) as handle:
            yield Appender(handle, path, durable=False)
            os.fsync(handle)

    @contextmanager
    def _replacing(self, path: str, mode: int) -> Iterator[int]:
        """A new file to fill, which takes the place of the one at `path` when the block ends well."""
        with above(self.root, path, "write") as (parent, name):
            refuse_irregular(parent, name, path)
            _sweep(parent, name)
            temporary = f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(temporary, flags, mode & 0o600, dir_fd=parent)
            try:
                # Whoever finds the lock free may take the file for the leftover of a killed process.
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield handle
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                _discard(parent, temporary)
                raise
            finally:
                os.close(handle)
            os.fsync(parent)

    @contextmanager
    def appender(self, path: str, mode: int = 0o600, *, durable: bool = True) -> Iterator[Appender]:
        """Open the file at `path` for appending whole records; created with `mode` when missing.

        `durable` waits until each record is on the disk. Raises FileError for a link, a pipe and the like,
        and for a file with a second name, which may be anybody's.
        """
        with above(self.root, path, "append to") as (parent, name):
            refuse_irregular(parent, name, path)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(name, flags, mode, dir_fd=parent)
            try:
                refuse_second_name(handle, path)
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
        """The directories that have to be made for `path` to be one, topmost first."""
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
            refuse_irregular(parent, name, path, allowed=stat.S_ISLNK)
            _sweep(parent, name)
            temporary = f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"
            os.symlink(target, temporary, dir_fd=parent)
            try:
                os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                _discard(parent, temporary)
                raise
            os.fsync(parent)

    def give(self, path: str, uid: int, gid: int) -> None:
        """Make the account and group with these numbers the owners of a directory and all that is in it.

        Links are not followed.
        """
        with above(self.root, path, "give away") as (parent, name):
            handle = os.open(name, DIRECTORY, dir_fd=parent)
            try:
                for _, folders, names, folder in os.fwalk(".", dir_fd=handle):
                    for entry in (*folders, *names):
                        os.chown(entry, uid, gid, dir_fd=folder, follow_symlinks=False)
                os.fchown(handle, uid, gid)
                os.fsync(handle)
            finally:
                os.close(handle)

    def set_modified(self, path: str, when: float) -> None:
        """Set when the file at `path` was changed (seconds since 1970); it must be there."""
        with above(self.root, path, "touch") as (parent, name):
            os.utime(name, (when, when), dir_fd=parent, follow_symlinks=False)

    def remove(self, path: str) -> None:
        """Remove the file or link at `path`; nothing happens when there is none."""
        if self.state(str(PurePosixPath(path).parent)) is None:
            return
        with above(self.root, path, "remove") as (parent, name):
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
        """Remove the directory at `path` with all that is in it; nothing happens when there is none."""
        state = self.state(path)
        if state is not None and state.kind == "directory":
            self.discard(path)

    def discard(self, path: str) -> None:
        """Remove whatever is at `path`: what somebody with fewer rights has put in the place of a file."""
        with above(self.root, path, "remove") as (parent, name):
            untrusted.discard(parent, name)
            os.fsync(parent)

    def empty(self, path: str) -> None:
        """Remove all that is in the directory at `path`; nothing happens when there is none."""
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


def _is_agents(folder: Path) -> bool:
    """Whether the folder is one of the agent, and this process not the agent."""
    try:
        owner = os.lstat(folder).st_uid
    except OSError:
        return False
    return owner == AGENT_USER != os.geteuid()


def _heir(folder: Path) -> tuple[int, int] | None:
    """Who owns what is written into the folder, if not whoever writes it."""
    return (AGENT_USER, -1) if _is_agents(folder) else None


def _unreadable(path: str, error: OSError) -> FileError:
    """The error of a path that was followed, links and all."""
    if error.errno != errno.ELOOP:
        return explain("read", path, error)
    return FileError(
        "path-loop", f"cannot read {path}: its links lead in a circle", f"Look at them with `namei {path}`."
    )


def _content(handle: int, path: str) -> bytes:
    """Everything behind `handle`, which is closed. A named pipe would never end, a device may do harm."""
    try:
        kind = os.fstat(handle).st_mode
        if not (stat.S_ISREG(kind) or path.startswith(_OPENED_BY_CALLER)):
            raise FileError(
                "path-not-regular",
                f"cannot read {path}: it is a {name_of_kind(kind)}, not a file",
                "Name the file itself.",
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
    # The file was born with no more than 0600, so widening happens after the data is in.
    os.fchmod(handle, mode)
    os.fsync(handle)


def _sweep(parent: int, name: str) -> None:
    """Remove the temporary files for `name` that processes left behind when they were killed."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    for leftover in filter(ours.fullmatch, os.listdir(parent)):
        # Gone by now, being written by another process at this moment, or not to be removed by us.
        with contextlib.suppress(OSError):
            _remove_unused(parent, leftover)


def _remove_unused(parent: int, leftover: str) -> None:
    """Remove what has this name, of whatever kind; raises BlockingIOError for a file with a living writer."""
    if not stat.S_ISREG(os.stat(leftover, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(leftover, dir_fd=parent)
        return
    handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(leftover, dir_fd=parent)
    finally:
        os.close(handle)


def _discard(parent: int, temporary: str) -> None:
    """Remove a temporary file; what cannot be removed now is swept by a later run."""
    with contextlib.suppress(OSError):
        os.unlink(temporary, dir_fd=parent)
