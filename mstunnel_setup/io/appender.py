"""Append-only files, written record by record: journal, log and lock."""

import os
import stat

from mstunnel_setup.io.safe_paths import explain

_READ_BY_ALL = 0o644


class Appender:
    """An open append-only file."""

    def __init__(self, handle: int, path: str, *, durable: bool) -> None:
        self._handle = handle
        self._path = path
        self._durable = durable

    def append(self, record: bytes) -> None:
        """Write `record`; when durable, it is on disk when this returns."""
        try:
            view = memoryview(record)
            while view:
                view = view[os.write(self._handle, view) :]
            if self._durable:
                os.fsync(self._handle)
        except OSError as error:
            raise explain("append to", self._path, error) from error

    def size(self) -> int:
        """Return the size in bytes."""
        return os.fstat(self._handle).st_size

    def read(self) -> bytes:
        """Return the whole content."""
        try:
            return os.pread(self._handle, self.size(), 0)
        except OSError as error:
            raise explain("read", self._path, error) from error

    def close_to_others(self) -> None:
        """Remove all permissions of group and others."""
        mode = stat.S_IMODE(os.fstat(self._handle).st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            os.fchmod(self._handle, mode & stat.S_IRWXU)

    def open_to_all(self) -> None:
        """Let all users read the file, and only its owner write, whatever the umask."""
        try:
            if stat.S_IMODE(os.fstat(self._handle).st_mode) != _READ_BY_ALL:
                os.fchmod(self._handle, _READ_BY_ALL)
        except OSError as error:
            raise explain("change the mode of", self._path, error) from error

    def is_gone(self) -> bool:
        """Return whether the file was removed since it was opened."""
        return os.fstat(self._handle).st_nlink == 0

    def fileno(self) -> int:
        """Return the file descriptor, for locking."""
        return self._handle

    def truncate(self, size: int) -> None:
        """Truncate the file to `size` bytes, durably."""
        try:
            os.ftruncate(self._handle, size)
            os.fsync(self._handle)
        except OSError as error:
            raise explain("truncate", self._path, error) from error
