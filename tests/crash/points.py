"""Counts the state-changing points of a run, and kills the process at the chosen one.

Points come from audit events (open for writing, rename, remove, ...), from the file writer's `write` and
`fsync`, which Python does not report, and from requests to tenant and container engine.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mstunnel_setup.io import appender, files, safe_paths, untrusted
from mstunnel_setup.io.http import HttpSession

# The modules that change files.
WRITER = (appender, files, safe_paths, untrusted)

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = frozenset(
    {
        *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.symlink", "os.link"),
        *("os.truncate", "fcntl.flock", "subprocess.Popen", "os.posix_spawn", "socket.connect"),
    }
)


@dataclass
class Points:
    """The points seen so far; at number `kill_at` the process kills itself.

    None is a connection to `ignored`: the recording engine's socket, whose client counts its points itself.
    """

    kill_at: int | None = None
    ignored: str = ""
    seen: list[str] = field(default_factory=list)

    def hit(self, label: str) -> None:
        """A point has been reached."""
        self.seen.append(label)
        if len(self.seen) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Watch this process from now on; there is no way back."""
        sys.addaudithook(self._audit)
        let_writer_use(CountingOs(self))
        HttpSession.request = _counted(self, HttpSession.request)  # type: ignore[method-assign]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _mode, flags = arguments
            if flags & _WRITING:
                self.hit(f"open {_name(path)}")
        elif event in _EVENTS and not (event == "socket.connect" and arguments[1] == self.ignored):
            self.hit(" ".join([event.removeprefix("os."), *map(_name, arguments[:2])]))


def let_writer_use(double: Any) -> None:
    """Give the file writer another module `os`."""
    for module in WRITER:
        module.os = double  # type: ignore[attr-defined]


class CountingOs:
    """The module `os` for the file writer: a write has two points (before, half done), a sync one.

    What follows them is the next point: a kill after a write and one before the next call find the same disk.
    """

    def __init__(self, points: Points) -> None:
        self._points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, handle: int, data: memoryview) -> int:
        """Write as two halves, so that a kill finds a torn write."""
        self._points.hit("write")
        scope = os.write(handle, data[: len(data) // 2])
        self._points.hit("write half")
        return scope + os.write(handle, data[scope:])

    def fsync(self, handle: int) -> None:
        """Sync."""
        self._points.hit("fsync")
        os.fsync(handle)


def _counted(points: Points, request: Callable[..., Any]) -> Callable[..., Any]:
    def counted(session: HttpSession, method: str, url: str, **options: Any) -> Any:
        points.hit(f"{method} {url}")
        answer = request(session, method, url, **options)
        # Delivered, but the answer is never seen.
        points.hit(f"{method} {url} answered")
        return answer

    return counted


def _name(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, (str, bytes)) else str(value)[:80]
