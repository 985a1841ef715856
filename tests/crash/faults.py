"""Lets one call through a port fail, once: a file operation, a process, a request, or one to the engine."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from tests.crash.engine import RecordedEngine
from tests.crash.points import let_writer_use

CHANGES = frozenset(
    {
        *("write", "fsync", "replace", "unlink", "mkdir", "rmdir", "symlink"),
        *("fchmod", "fchown", "ftruncate"),
    }
)
FILE_CALLS = CHANGES | {"open", "pread", "lstat", "stat", "listdir"}
ENGINE_CALLS = (
    *("image", "pull", "load", "remove_image", "create", "start", "stop", "restart", "remove"),
    *("inspect", "probe", "execute", "run_once"),
)
CAPTIVE = b"<!doctype html><html><body>Please sign in to the wireless network</body></html>"


@dataclass
class Fault:
    """At call number `at` of a port comes `what` instead of the real thing; without it calls are counted.

    The ports are `files`, `processes`, `http`, and `engine`.
    """

    port: str
    at: int = 0
    what: str = ""


_active: Fault | None = None
# The calls seen so far through the port that fails.
seen: list[str] = []


def install(fault: dict[str, Any]) -> None:
    """Watch the ports of this process."""
    global _active  # noqa: PLW0603 (one forked process, one fault)
    _active = Fault(**fault)
    let_writer_use(FailingOs())
    requests.Session.request = _request(requests.Session.request)  # type: ignore[method-assign]
    Processes.run = _processes(Processes.run)  # type: ignore[method-assign]
    for name in ENGINE_CALLS:
        setattr(RecordedEngine, name, _engine(name, getattr(RecordedEngine, name)))


def _due(port: str, label: str) -> str | None:
    """Count a call; the fault to raise instead of it, if any."""
    if _active is None or _active.port != port:
        return None
    seen.append(label)
    return _active.what if len(seen) == _active.at else None


class FailingOs:
    """The module `os` for the file writer, one of whose calls fails; the value is the errno."""

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        if name not in FILE_CALLS:
            return call

        def maybe(*arguments: Any, **options: Any) -> Any:
            what = _due("files", _label(name, arguments))
            if what is not None:
                raise OSError(int(what), os.strerror(int(what)))
            return call(*arguments, **options)

        return maybe


def _label(name: str, arguments: Sequence[Any]) -> str:
    """The call, its first argument, and whether it changes something."""
    changes = name in CHANGES or (name == "open" and arguments[1] & os.O_CREAT)
    return f"{name} {arguments[0]}{' *' if changes else ''}"


def process(arguments: Sequence[str], *, check: bool, answer: Callable[[], Completed]) -> Completed:
    """What comes of a program that the tests answer for: as of a real one through the product's own port."""
    what = _due("processes", " ".join(arguments))
    if what == "hang":
        hint = "Find out what it waits for and run the command again."
        raise ProcessError("program-timeout", f"{arguments[0]} did not finish within 30 s", hint)
    done = Completed(1, "", "") if what == "exit 1" else answer()
    if check and done.code:
        raise ProcessError("program-failed", f"`{' '.join(arguments)}` ended with {done.code}: no output")
    return Completed(done.code, "\ufffd\x1b[31m{", "") if what == "garbage" else done


def _processes(run: Callable[..., Completed]) -> Callable[..., Completed]:
    def maybe(self: Processes, arguments: Sequence[str], **options: Any) -> Completed:
        what = _due("processes", " ".join(arguments))
        replaced = {"exit 1": ("false",), "hang": ("sleep", "60"), "garbage": ("printf", r"\377\033[31m{")}
        if what == "hang":
            options["timeout"] = 0.1
        return run(self, replaced.get(what or "", arguments), **options)

    return maybe


def _engine(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, or what the engines' clients make of a service that refuses it, or breaks off after it."""

    def maybe(*arguments: Any, **options: Any) -> Any:
        what = _due("engine", name)
        answer = None if what == "refused" else call(*arguments, **options)
        if what is None:
            return answer
        hint = "Fix the cause, then run the command again."
        raise EngineError("container-failed", f"{name}: made to fail by a test", hint)

    return maybe


def _request(real: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    def maybe(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        what = _due("http", f"{method} {url}")
        if what is None:
            return real(self, method, url, **options)
        if what == "cut":
            raise requests.ConnectionError("Connection refused")
        if what == "cut after":
            real(self, method, url, **options)
            raise requests.ConnectionError("Connection aborted.")
        if what == "slow":
            time.sleep(0.01)
            raise requests.exceptions.ReadTimeout("read timed out")
        return _canned(what, url)

    return maybe


def _canned(what: str, url: str) -> requests.Response:
    """An answer with the status `what` (`html` is the page of a captive portal)."""
    answer = requests.Response()
    answer.url = url
    answer.status_code = 200 if what == "html" else int(what)
    answer.headers["Content-Type"] = "text/html" if what == "html" else "application/json"
    if what == "429":
        answer.headers["Retry-After"] = "7"
    answer._content = CAPTIVE if what == "html" else b'{"error": {"code": "Made", "message": "by a test"}}'
    return answer
