"""Adapters of the HTTP session: our TLS context, and limits of size and time for every body."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import ReadTimeoutError

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.clock import Clock

# The largest downloads are public revocation lists, of a few megabytes.
LARGEST: Final = 32 * 1024 * 1024
_PIECE: Final = 64 * 1024


class BoundedAdapter(HTTPAdapter):
    """Limits a body to `seconds` and 32 MiB: the timeout of requests restarts with every byte."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        super().__init__()

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send; reading the body raises ReadTimeout when it is late, NetworkError when it is too large."""
        response = super().send(request, *arguments, **options)
        raw: Any = response.raw
        raw.stream = self._bounded(raw, str(request.url))
        return response

    def _bounded(self, raw: Any, url: str) -> Callable[..., Iterator[bytes]]:
        end = self._clock.monotonic() + self._seconds

        def stream(_size: int, decode_content: bool | None = None) -> Iterator[bytes]:
            size = 0
            try:
                # Unlike `read`, `read1` returns what one read of the connection yields.
                while piece := raw.read1(_PIECE, decode_content=decode_content):
                    size += len(piece)
                    if self._clock.monotonic() > end:
                        raise requests.ReadTimeout(f"the answer was not complete after {size} bytes")
                    if size > LARGEST:
                        raise NetworkError(
                            "answer-too-large",
                            "{host} sent more than {limit} MiB",
                            hint="Check the address, and any proxy in between.",
                            host=urlsplit(url).netloc,
                            limit=LARGEST >> 20,
                        )
                    yield piece
            except ReadTimeoutError as error:
                raise requests.ReadTimeout(error) from error
            finally:
                raw.close()

        return stream


class ContextAdapter(BoundedAdapter):
    """Uses our TLS context and nothing from the environment."""

    def __init__(self, clock: Clock, seconds: float, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(clock, seconds)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Part of HTTPAdapter's contract."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Part of HTTPAdapter's contract."""
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    @override
    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"
