"""Temporary files beside the file that they will replace: their names, and what killed processes left."""

import contextlib
import fcntl
import os
import re
import secrets
import stat

_RANDOM_BYTES = 8


def temporary_name(name: str) -> str:
    """An unpredictable name for a temporary file that will replace `name`."""
    return f".{name}.{secrets.token_hex(_RANDOM_BYTES)}"


def sweep(parent: int, name: str) -> None:
    """Remove temporary files for `name` that killed processes left behind."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    for leftover in filter(ours.fullmatch, os.listdir(parent)):
        # Already gone, being written by another process, or not removable by us.
        with contextlib.suppress(OSError):
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
    """Remove a temporary file; a later run removes what fails now."""
    with contextlib.suppress(OSError):
        os.unlink(temporary, dir_fd=parent)
