"""Waiting for changed files and ended processes without polling: inotify(7), pidfd_open(2)."""

import ctypes
import os
import select
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Final, Self

from mstunnel_setup.io.files import Files

# linux/inotify.h: a file was written, moved here, created or removed.
_EVENTS: Final = 0x8 | 0x80 | 0x100 | 0x200
_READ: Final = 65536
# Larger than the kernel's default queue (fs.inotify.max_queued_events). A process that writes constantly
# would extend it.
_MOST_READS: Final = 100


class Changes:
    """Notices changes of the files in some directories and the end of some processes.

    Without inotify (a kernel limit is reached) only the timeout ends a wait. A process that cannot be watched
    (Linux before 5.3) counts as ended.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def watch(self, directories: Iterable[str]) -> None:
        """Discard past events and watch these directories from now on.

        A directory that is missing, or was replaced, is watched from the next call on.
        """
        for path in directories:
            self._libc.inotify_add_watch(self._descriptor, os.fsencode(self._files.locate(path)), _EVENTS)
        with suppress(OSError):
            for _ in range(_MOST_READS):
                os.read(self._descriptor, _READ)

    def wait(self, seconds: float, processes: Iterable[int] = ()) -> bool:
        """Wait at most `seconds`; return True as soon as a file changes or one of the processes ends."""
        poll = select.poll()
        with suppress(ValueError):
            poll.register(self._descriptor, select.POLLIN)
        with ExitStack() as stack:
            for process in processes:
                try:
                    ended = os.pidfd_open(process)
                except OSError:
                    return True
                stack.callback(os.close, ended)
                poll.register(ended, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
