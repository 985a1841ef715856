"""One run at a time: `flock` on a file that says who holds it. The kernel drops it when the holder dies."""

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
        lock = opened.enter_context(files.appender(path, 0o644))
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _held(lock.read()) from error
        if not lock.is_gone():
            return lock


def _held(content: bytes) -> LockedError:
    try:
        holder = json.loads(content)
        who = f"process {holder['pid']}, since {holder['since']}: {holder['command']}"
    except (ValueError, KeyError, TypeError):
        who = "a process that has just started"
    return LockedError(
        "locked",
        f"another run is at work ({who})",
        "Wait for it to end, or stop that process, then run again.",
    )
