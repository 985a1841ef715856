"""A line about every request of this process, where someone asks for it: the verbose mode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io.http_port import HttpAnswer

_LISTENERS: Final[list[tuple[Callable[[str], None], Callable[[], bool]]]] = []
# Graph's name for it, then those of Entra.
_ID_HEADERS: Final = ("request-id", "x-ms-request-id", "client-request-id")
_LONGEST_ID: Final = 64


@contextmanager
def log_requests(log: Callable[[str], None], wanted: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Meanwhile `log` gets a line about each request, without anything that could be a secret.

    `wanted` is asked at each request: a setting may change while a service runs.
    """
    listener = (log, wanted)
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def note(method: str, url: str, seconds: float, outcome: HttpAnswer | Exception) -> None:
    """Log a request: queries and bodies, which may have secrets, are left out."""
    if not _LISTENERS:
        return
    parts = urlsplit(url)
    if isinstance(outcome, Exception):
        end = text("no answer, {name__}", name__=type(outcome).__name__)
    else:
        found = (outcome.headers.get(name) for name in _ID_HEADERS)
        end = text(
            "{status_code}, request {longest_id}",
            status_code=outcome.status_code,
            longest_id=plain(next(filter(None, found), "-"), _LONGEST_ID),
        )
    content = f"{method} {parts.hostname}{parts.path}: {seconds * 1000:.0f} ms, {end}"
    for log, wanted in _LISTENERS:
        if wanted():
            log(content)
