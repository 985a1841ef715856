"""A lock for one run at a time: `flock` on a file that names the holder.

The kernel releases it when the holder dies. Only the owner can open the file, because opening it is enough to
lock it.
"""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from mstunnel_setup.base.errors import LockedError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

_PAUSE = 0.2


@contextmanager
def exclusive(
    files: Files,
    clock: Clock,
    path: str,
    patience: float = 0.0,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock at `path` while the block runs.

    The file is removed before the lock is released. `waiting` is called once when a wait begins. Raises
    LockedError if another run still holds the lock after `patience` seconds.
    """
    with ExitStack() as opened:
        while True:
            lock = opened.enter_context(files.appender(path))
            lock.close_to_others()  # an earlier release may have left it readable
            if not _acquired(lock):
                until = clock.monotonic() + patience
                if patience:
                    waiting()
                while not _acquired(lock):
                    if clock.monotonic() >= until:
                        raise _held(files, lock)
                    clock.sleep(_PAUSE)
            # Another run may have removed the file between opening and locking.
            if not lock.is_gone():
                break
        lock.truncate(0)
        since = clock.now().isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "since": since, "command": shlex.join(sys.argv)}
        lock.append(json.dumps(holder).encode())
        try:
            yield
        finally:
            with suppress(FileError):  # a leftover file does not block later runs
                files.remove(path)


def _acquired(lock: Appender) -> bool:
    try:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(files: Files, lock: Appender) -> LockedError:
    """Return the error for a held lock; it names the holder if the kernel confirms it."""
    try:
        holder = json_value(lock.read())
        named = f" (process {holder['pid']}, since {holder['since']}: {holder['command']})"
        known = holder["pid"] in _holders(files, os.fstat(lock.fileno()).st_ino)
    except (ValueError, KeyError, TypeError):
        known, named = False, ""
    return LockedError(
        "locked",
        "another run is in progress{holder}",
        hint="Wait until it ends, or stop that process, then run the command again.",
        holder=named if known else "",
    )


def _holders(files: Files, inode: int) -> set[int]:
    """Return the ids of processes that hold a lock on this inode (proc_locks(5), one lock per line)."""
    lines = (files.given.read("/proc/locks") or b"").decode().splitlines()
    fields = [line.split() for line in lines if " FLOCK " in line and "->" not in line]
    return {int(words[4]) for words in fields if words[5].rpartition(":")[2] == str(inode)}
