"""The part of the HTTP session that its users need; a stand-in in a test fits it as well."""

from collections.abc import Mapping
from typing import Final, Protocol, TypedDict, Unpack

from urllib3.exceptions import HTTPError

READ_FAILURES: Final = (OSError, HTTPError, RuntimeError)
"""What the libraries of the container engines raise for an answer that breaks off, is late, or is no JSON."""


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

    def get(self, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """GET."""
        ...

    def post(self, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """POST."""
        ...

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request."""
        ...
