"""One run at a time: `flock` on a file that says who holds it. The kernel drops it when the holder dies.

The file is for its owner alone: who may open it may hold it.
"""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from mstunnel_setup.errors import LockedError
from mstunnel_setup.host.appender import Appender
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.safe_paths import FileError


@contextmanager
def exclusive(files: Files, clock: Clock, path: str) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; raises LockedError when another run holds it.

    Its file is removed before the lock is let go.
    """
    with ExitStack() as opened:
        lock = _locked(files, path, opened)
        lock.truncate(0)
        since = clock.now().isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "since": since, "command": shlex.join(sys.argv)}
        lock.append(json.dumps(holder).encode())
        try:
            yield
        finally:
            with suppress(FileError):  # one that stays locks nobody out
                files.remove(path)


def _locked(files: Files, path: str, opened: ExitStack) -> Appender:
    """The lock, held; where its file was removed between opening and locking, the one that came after it."""
    while True:
        lock = opened.enter_context(files.appender(path))
        lock.close_to_others()  # a killed run of an earlier release left it readable
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _held(lock) from error
        if not lock.is_gone():
            return lock


def _held(lock: Appender) -> LockedError:
    """The error of a lock that is held; it names the holder that the kernel knows, or none."""
    try:
        holder = json.loads(lock.read())
        named = f" (process {holder['pid']}, since {holder['since']}: {holder['command']})"
        known = holder["pid"] in _holders(os.fstat(lock.fileno()).st_ino)
    except (ValueError, KeyError, TypeError):
        known, named = False, ""
    return LockedError(
        "locked",
        f"another run is at work{named if known else ''}",
        "Wait for it to end, or stop that process, then run again.",
    )


def _holders(inode: int) -> set[int]:
    """The living processes that hold a lock on this inode; proc_locks(5) gives one lock a line."""
    lines = (Files().read("/proc/locks") or b"").decode().splitlines()
    fields = [line.split() for line in lines if " FLOCK " in line and "->" not in line]
    return {int(words[4]) for words in fields if words[5].rpartition(":")[2] == str(inode)}
