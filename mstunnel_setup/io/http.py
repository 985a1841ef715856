"""The HTTP session: system trust plus `ca_file`, proxies, timeouts, and retries that obey `Retry-After`.

If a server asks to retry later, no thread sends it a request until then.

`REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` would silently replace the trust of a requests session; this session
ignores them and uses its own TLS context.
"""

import itertools
import random
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from typing import Any, Final, Unpack
from urllib.parse import urlsplit, urlunsplit

import requests
import truststore
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from typing_extensions import override
from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError, ReadTimeoutError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.parsing import http_date, whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import (
    ADDRESS_UNREADABLE,
    CA_FILE_UNREADABLE,
    NETWORK_TIMEOUT,
    NETWORK_UNREACHABLE,
    PROXY_FAILED,
)
from mstunnel_setup.io.http_port import RequestOptions, log_request
from mstunnel_setup.io.network import Destination, presented_issuer, unverified_context

# The largest downloads are public revocation lists, of a few megabytes.
LARGEST: Final = 32 * 1024 * 1024
_PIECE: Final = 64 * 1024

READ_FAILURES: Final = (OSError, HTTPError, RuntimeError)
"""The errors of the container engines' libraries for a response that is truncated, late or not JSON."""


class _Adapter(HTTPAdapter):
    """Limits a body to `seconds` and `largest` bytes: the timeout of requests restarts with every byte.

    It uses our TLS context and nothing from the environment.
    """

    def __init__(self, clock: Clock, seconds: float, largest: int, context: ssl.SSLContext) -> None:
        self._clock = clock
        self._seconds = seconds
        self._largest = largest
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Add the TLS context."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Add the TLS context."""
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    @override
    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send the request; reading a late body raises ReadTimeout, a large one NetworkError."""
        response = super().send(request, *arguments, **options)
        raw: Any = response.raw
        end = self._clock.monotonic() + self._seconds

        def stream(_size: int, decode_content: bool | None = None) -> Iterator[bytes]:
            size = 0
            try:
                # `read1` returns the data of one read of the connection; `read` would wait for more.
                while piece := raw.read1(_PIECE, decode_content=decode_content):
                    size += len(piece)
                    if self._clock.monotonic() > end:
                        raise requests.ReadTimeout(f"the answer was not complete after {size} bytes")
                    if size > self._largest:
                        raise NetworkError(
                            "answer-too-large",
                            "{host} sent more than {limit} MiB",
                            hint="Check the address, and any proxy in between.",
                            host=urlsplit(str(request.url)).netloc,
                            limit=self._largest >> 20,
                        )
                    yield piece
            except ReadTimeoutError as error:
                raise requests.ReadTimeout(error) from error
            finally:
                raw.close()

        raw.stream = stream
        return response


_TRY_AGAIN = frozenset({502, 503, 504})
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
_PASSING = (requests.ConnectionError, requests.Timeout)
_PERMANENT = (requests.exceptions.SSLError, requests.exceptions.ProxyError)
_LONGEST_WAIT = 60.0
_UNCONNECTED = 15.0
_LOOK_SECONDS = 5.0
_HTTP_PORT, _HTTPS_PORT = 80, 443
_LARGEST_ROOT = 64 * 1024
FINGERPRINT: Final = re.compile(r"sha256:[0-9a-fA-F]{64}")
# The message of http.client for a refused CONNECT; the status follows.
_TUNNEL_REFUSED: Final = "Tunnel connection failed: "
_OBJECT = re.compile(r"^HTTPS?Connection\([^)]*\): ")


class HttpSession:
    """The HTTP session of all clients; it trusts the system, `ca_file` and `roots` (PEM certificates)."""

    def __init__(
        self,
        clock: Clock,
        ca_file: str | None = None,
        *,
        roots: str = "",
        timeout: float = 30,
        deadline: float = 120,
        largest: int = LARGEST,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._deadline = deadline
        # The time until which each server has asked for no requests.
        self._pauses: dict[str, float] = {}
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.trust_env = False
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if roots or ca_file:
                context.load_verify_locations(cafile=ca_file, cadata=roots or None)
        except (OSError, ssl.SSLError) as error:
            raise CA_FILE_UNREADABLE(ca_file=ca_file or paths.CA_TRUST) from error
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(clock, max(timeout, deadline), largest, context))

    def get(self, url: str, **options: Unpack[RequestOptions]) -> requests.Response:
        """Send a GET request; see `request`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[RequestOptions]) -> requests.Response:
        """Send a POST request; see `request`."""
        return self.request("POST", url, **options)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> requests.Response:
        """Send one request, and retry until the deadline while the server asks for it.

        Raises NetworkError if no complete response arrives, sooner if no connection is made at all. Any HTTP
        status is a response. Redirects are followed for GET only, because other requests carry secrets.
        """
        try:
            server, _ = urlsplit(url).netloc, urlsplit(url).port
        except ValueError as error:
            raise ADDRESS_UNREADABLE(address=repr(url[:80])) from error
        options.setdefault("allow_redirects", method == "GET")
        options.setdefault("timeout", self._timeout)
        proxies = options.setdefault("proxies", get_environ_proxies(url))
        started = self._clock.monotonic()
        end = started + self._deadline
        for attempt in itertools.count(1):
            wait = min(2.0**attempt, _LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
            while (pause := self._pauses.get(server, 0.0) - self._clock.monotonic()) > 0:
                self._clock.sleep(pause)
            try:
                response = self._sent(method, url, options)
            except requests.RequestException as error:
                reason = getattr(error.args[0], "reason", None) if error.args else None
                # The name did not resolve, or the port was refused.
                unconnected = isinstance(reason, NewConnectionError)
                patience = started + min(self._deadline, _UNCONNECTED) if unconnected else end
                passing = isinstance(error, _PASSING) and not isinstance(error, _PERMANENT)
                retried = passing and method in _REPEATABLE
                if not retried or self._clock.monotonic() + wait > patience:
                    raise self._explained(url, error, proxies) from error
            except ValueError as error:
                # The address of a redirect, or of a proxy in the environment, is invalid.
                raise ADDRESS_UNREADABLE(
                    address=text("a redirect of {netloc}, or its proxy", netloc=urlsplit(url).netloc)
                ) from error
            else:
                wait = _retry_after(response, self._clock) or wait
                # The server did not process the request, so that even a POST can be repeated.
                again = {HTTPStatus.TOO_MANY_REQUESTS, *(_TRY_AGAIN if method in _REPEATABLE else ())}
                until = self._clock.monotonic() + wait
                if response.status_code not in again or until > end:
                    return response
                with self._lock:
                    # A longer pause that another thread has set is kept.
                    self._pauses[server] = max(until, self._pauses.get(server, until))
            self._clock.sleep(wait)
        raise AssertionError  # itertools.count never ends

    def _sent(self, method: str, url: str, options: RequestOptions) -> requests.Response:
        """Send one attempt and log it for verbose mode."""
        began = self._clock.monotonic()
        try:
            response = self._session.request(method, url, **options)
        except requests.RequestException as error:
            log_request(method, url, self._clock.monotonic() - began, error)
            raise
        log_request(method, url, self._clock.monotonic() - began, response)
        return response

    def _explained(
        self, url: str, error: requests.RequestException, proxies: Mapping[str, str]
    ) -> NetworkError:
        parts = urlsplit(url)
        if isinstance(error, requests.exceptions.ProxyError):
            return _proxy_failure(error, select_proxy(url, dict(proxies)) or "", parts.netloc)
        if isinstance(error, requests.Timeout):
            return NETWORK_TIMEOUT(host=parts.netloc)
        if not isinstance(error, requests.exceptions.SSLError):
            return NETWORK_UNREACHABLE(host=parts.netloc, reason=_cause(error))
        host, proxy = str(parts.hostname), _place(select_proxy(url, dict(proxies)) or "")
        destination = Destination(host, parts.port or _HTTPS_PORT, host, proxy=proxy)
        issuer = presented_issuer(destination, self._clock, self._clock.monotonic() + _LOOK_SECONDS)
        cause = _cause(error)
        if "not yet valid" in cause:
            return NetworkError(
                "clock-behind",
                "the TLS certificate of {host} is not yet valid according to the clock of this host: {cause}",
                hint="Set the time (`timedatectl set-ntp true`) and run the command again.",
                host=parts.netloc,
                cause=cause,
            )
        return NetworkError(
            "tls-untrusted",
            "the TLS certificate of {host}, issued by {issuer}, is not trusted: {cause}",
            hint="If the issuer is your private authority or a proxy that inspects TLS, give its root "
            "with --ca-file, or exempt {host} from inspection.",
            host=parts.netloc,
            issuer=issuer or text("an unknown authority"),
            cause=cause,
        )


def _proxy_failure(error: requests.RequestException, proxy: str, host: str) -> NetworkError:
    """Return an error that names the proxy and the cause: it was unreachable, or it refused."""
    cause: BaseException = error
    while not isinstance(cause, ProxyError):
        cause = getattr(cause, "reason", None) or cause.args[0]
    reason = _cause(cause.original_error)
    status = reason.removeprefix(_TUNNEL_REFUSED)
    if status != reason:
        return PROXY_FAILED(
            proxy=_without_login(proxy),
            problem=text("it refused to connect to {host}: status {status}", host=host, status=status),
        )
    return PROXY_FAILED(
        proxy=_without_login(proxy),
        problem=text("no connection to it, on the way to {host}: {reason}", host=host, reason=reason),
    )


def _without_login(proxy: str) -> str:
    parts = urlsplit(proxy)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _place(proxy: str) -> tuple[str, int] | None:
    """Return host and port of a proxy; the default port is that of its scheme, as for requests."""
    parts = urlsplit(proxy)
    usual = _HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT
    return (parts.hostname, parts.port or usual) if parts.hostname else None


def proxy_for(url: str) -> str | None:
    """Return the proxy for requests to `url`, without user name and password.

    None if there is none, or its address is invalid.
    """
    try:
        proxy = select_proxy(url, get_environ_proxies(url)) or ""
        return _without_login(proxy) if urlsplit(proxy).netloc else None
    except ValueError:
        return None


def _retry_after(response: requests.Response, clock: Clock) -> float | None:
    """Return the seconds to wait according to `Retry-After`, a number or an HTTP date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    seconds, moment = whole_number(value), http_date(value)
    if seconds is not None:
        return float(seconds)
    return None if moment is None else max(0.0, (moment - clock.now()).total_seconds())


def _cause(error: BaseException) -> str:
    """Return the innermost reason, without urllib3's object representations."""
    reason = error
    while True:
        inner = getattr(reason, "reason", None) or (reason.args[0] if reason.args else None)
        if not isinstance(inner, BaseException):
            text = str(getattr(reason, "strerror", None) or reason).rsplit(">: ", 1)[-1]
            return _OBJECT.sub("", text)
        reason = inner


def fetch_root(url: str) -> tuple[str, str]:
    """Return the certificate (PEM) at an https address, and its fingerprint, `sha256:` and hex digits.

    The server is not verified: use the certificate only if the fingerprint is the expected one. Raises
    NetworkError `root-unreachable`.
    """
    server, proxy = urlsplit(url), _place(proxy_for(url) or "")
    place = (str(server.hostname), server.port or _HTTPS_PORT)
    connection = HTTPSConnection(*(proxy or place), timeout=_UNCONNECTED, context=unverified_context())
    if proxy is not None:
        connection.set_tunnel(*place)
    try:
        with closing(connection):
            certificate = x509.load_pem_x509_certificate(_content(connection, server.path))
    except (OSError, HTTPException, ValueError) as error:
        raise NetworkError(
            "root-unreachable",
            "cannot get the root certificate from {url}: {reason}",
            hint="Check the address, and that this host reaches it (proxy, firewall).",
            url=url,
            reason=getattr(error, "strerror", None) or error,
        ) from error
    return (
        certificate.public_bytes(Encoding.PEM).decode(),
        f"sha256:{certificate.fingerprint(SHA256()).hex()}",
    )


def _content(connection: HTTPSConnection, path: str) -> bytes:
    """Return the first 64 KiB of a GET response, without redirects. Raises OSError, HTTPException."""
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != HTTPStatus.OK:
        raise OSError(f"HTTP {answer.status}")
    return answer.read(_LARGEST_ROOT)
