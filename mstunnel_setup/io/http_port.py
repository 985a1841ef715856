"""The part of the HTTP session that its users need, and its log; a stand-in in a test fits it as well."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol, TypedDict, Unpack
from urllib.parse import urlsplit

from mstunnel_setup.base.text import plain, text


class RequestOptions(TypedDict, total=False):
    """What a request may have beside its method and address, as in requests."""

    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    data: Mapping[str, str] | str | bytes | None
    json: object
    allow_redirects: bool
    timeout: float
    proxies: dict[str, str]


class HttpAnswer(Protocol):
    """An answer, whatever its HTTP status."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by names in any case."""
        ...

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        ...


class HttpPort(Protocol):
    """Sends requests. Any HTTP status is an answer."""

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request."""
        ...


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


def log_request(method: str, url: str, seconds: float, outcome: HttpAnswer | Exception) -> None:
    """Log a request: queries and bodies, which may have secrets, are left out."""
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
