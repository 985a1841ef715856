"""The interface of the HTTP session, which tests can implement too, and its log."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol, TypedDict, Unpack
from urllib.parse import urlsplit

from mstunnel_setup.base.text import plain, text


class RequestOptions(TypedDict, total=False):
    """The options of a request, as in requests."""

    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    data: Mapping[str, str] | str | bytes | None
    json: object
    allow_redirects: bool
    timeout: float
    proxies: dict[str, str]


class HttpAnswer(Protocol):
    """An HTTP response, whatever its status."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are case-insensitive."""
        ...

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        ...


class HttpPort(Protocol):
    """Sends requests. Any HTTP status is a response."""

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request."""
        ...


_LISTENERS: Final[list[tuple[Callable[[str], None], Callable[[], bool]]]] = []
# Graph's header, then those of Entra.
_ID_HEADERS: Final = ("request-id", "x-ms-request-id", "client-request-id")
_LONGEST_ID: Final = 64


@contextmanager
def log_requests(log: Callable[[str], None], wanted: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Call `log` with a line for each request inside the block, without anything that could be secret.

    `wanted` is called for each request, because a setting may change while a service runs.
    """
    listener = (log, wanted)
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def log_request(method: str, url: str, seconds: float, outcome: HttpAnswer | Exception) -> None:
    """Log a request without its query and body, which may contain secrets."""
    if not _LISTENERS:
        return
    parts = urlsplit(url)
    if isinstance(outcome, Exception):
        end = text("no answer, {error}", error=type(outcome).__name__)
    else:
        found = (outcome.headers.get(name) for name in _ID_HEADERS)
        end = text(
            "{status}, request {request_id}",
            status=outcome.status_code,
            request_id=plain(next(filter(None, found), "-"), _LONGEST_ID),
        )
    content = f"{method} {parts.hostname}{parts.path}: {seconds * 1000:.0f} ms, {end!s}"
    for log, wanted in _LISTENERS:
        if wanted():
            log(content)
