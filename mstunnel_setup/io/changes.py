"""Wait until files change or processes end, instead of looking every so often: inotify(7), pidfd_open(2)."""

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
# More than the kernel queues by default (fs.inotify.max_queued_events); who writes all the time adds to it.
_MOST_READS: Final = 100


class Changes:
    """Notices what happens to the files in some directories and to some processes.

    Without inotify (a limit of the kernel is reached) only time passes. A process that cannot be watched
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
        """Forget what has happened so far, and notice what happens in these directories from now on.

        One that is missing, or was replaced, is watched from the next call on.
        """
        for path in directories:
            self._libc.inotify_add_watch(self._descriptor, os.fsencode(self._files.locate(path)), _EVENTS)
        with suppress(OSError):
            for _ in range(_MOST_READS):
                os.read(self._descriptor, _READ)

    def wait(self, seconds: float, processes: Iterable[int] = ()) -> bool:
        """Wait so long at most; True as soon as a file has changed or one of the processes has ended."""
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
