"""Network probes: connections, addresses, and TLS endpoints with the trust that accepts them."""

import io
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Literal, TypeAlias

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.parsing import http_date
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import ENDPOINT_UNREACHABLE, NETWORK_TIMEOUT, NETWORK_UNREACHABLE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LARGEST_HEAD = 16 * 1024
# linux/in.h: the path MTU of a connected socket (ip(7)).
_IP_MTU = 14
# The padding fills whole packets, so that a link with a smaller MTU is noticed before the MTU is read.
_HEADERS = {"User-Agent": "mst-readiness", "X-Padding": "x" * 3000, "Connection": "close"}
_LONGEST = 80
_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
"""The header of the PROXY protocol, version 2, for the sender's own connection (LOCAL, no addresses)."""
REFUSED = text("the proxy answers")
"""The start of the reason when a proxy refuses CONNECT; its status follows."""


@dataclass(frozen=True)
class Destination:
    """An endpoint to probe: TLS with `host` at `address`, directly or through the proxy (host, port).

    With `client_certificate` a new self-signed certificate is sent, which no server can know.
    """

    host: str
    port: int
    address: str
    path: str = "/"
    proxy: tuple[str, int] | None = None
    client_certificate: bool = False


TrustedBy: TypeAlias = Literal["public", "host", "none"]
"""The end of a chain: a public root, a root that only this host trusts, or neither."""


@dataclass(frozen=True)
class Reached:
    """The response. `status` is of HTTP, or 0; `date` is the server's clock, `mtu` the path MTU."""

    trust: TrustedBy
    issuer: str
    status: int = 0
    date: datetime | None = None
    mtu: int = 0


@dataclass(frozen=True)
class Trust:
    """Public roots (by default Mozilla's) and the additional roots of this host (PEM)."""

    host_roots: str = ""
    public_roots: str = ""

    def contexts(self) -> Iterator[tuple[TrustedBy, ssl.SSLContext]]:
        """Yield TLS contexts, the strictest first; the last one does not verify."""
        public = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.public_roots:
            public.load_verify_locations(cadata=self.public_roots)
        else:
            public.load_verify_locations(cafile=certifi.where())
        yield "public", public
        host = ssl.create_default_context()
        if self.host_roots:
            host.load_verify_locations(cadata=self.host_roots)
        yield "host", host
        yield "none", unverified_context()


def unverified_context() -> ssl.SSLContext:
    """Return a context that does not verify, for data that is verified otherwise or only shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def reach(destination: Destination, trust: Trust, clock: Clock, end: float) -> Reached:
    """Probe once, until the monotonic time `end`. Raises NetworkError `endpoint-unreachable`."""
    try:
        for name, context in trust.contexts():
            if destination.client_certificate:
                show_unknown_certificate(context)
            try:
                with _secured(destination, context, clock, end) as secure:
                    leaf = secure.getpeercert(binary_form=True) or b""
                    status, date = 0, None
                    # A server that requires a client certificate may close the connection.
                    with suppress(OSError):
                        headers = {"Host": destination.host, **_HEADERS}
                        limited = Limited(secure, clock, end)
                        status, date = exchange(limited, "GET", destination.path, headers)
                    ipv4 = secure.family == socket.AF_INET
                    mtu = secure.getsockopt(socket.IPPROTO_IP, _IP_MTU) if ipv4 else 0
                return Reached(name, _issuer(leaf), status, date, mtu)
            except ssl.SSLCertVerificationError:
                continue
    except TimeoutError as error:
        raise ENDPOINT_UNREACHABLE(reason=text("no answer in time")) from error
    except OSError as error:
        reason = plain(error.strerror or error, _LONGEST).lower()
        if isinstance(error, ssl.SSLError):
            reason = text("TLS failed: {handshake}", handshake=error.reason or text("no handshake"))
        raise ENDPOINT_UNREACHABLE(reason=reason) from error
    raise ENDPOINT_UNREACHABLE(reason=text("no certificate"))


def presented_issuer(destination: Destination, clock: Clock, end: float) -> str:
    """Return the issuer of the presented certificate; empty if there is none before `end`.

    Nothing is verified and no request is sent: use it only for the message about an untrusted certificate.
    """
    try:
        with _secured(destination, unverified_context(), clock, end) as secure:
            return _issuer(secure.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def resolve(host: str, port: int | None = None) -> tuple[str, ...]:
    """Return the addresses of a host. Raises NetworkError `name-unresolved`; there is no time limit."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkError(
            "name-unresolved",
            "cannot resolve {host}: {reason}",
            hint="Check the DNS servers of this host.",
            host=host,
            reason=reason,
        ) from error
    return tuple(dict.fromkeys(str(item[4][0]) for item in found))


@contextmanager
def _secured(
    destination: Destination, context: ssl.SSLContext, clock: Clock, end: float
) -> Iterator[ssl.SSLSocket]:
    """Open a TLS connection, through the proxy if there is one (CONNECT: RFC 9110, section 9.3.6)."""
    target = destination.proxy or (destination.address, destination.port)
    with socket.create_connection(target, _left(clock, end)) as connection:
        if destination.proxy is not None:
            address = destination.address
            authority = f"{f'[{address}]' if ':' in address else address}:{destination.port}"
            limited = Limited(connection, clock, end)
            status, _ = exchange(limited, "CONNECT", authority, {"Host": authority})
            if status != HTTPStatus.OK:
                raise OSError(f"{REFUSED!s} {status}" if status else text("the proxy does not speak HTTP"))
        connection.settimeout(_left(clock, end))
        with context.wrap_socket(connection, server_hostname=destination.host) as secure:
            yield secure


class Limited(io.RawIOBase):
    """A connection for `http.client` that ends at the monotonic time `end` and reads 16 KiB at most."""

    def __init__(self, connection: socket.socket, clock: Clock, end: float) -> None:
        super().__init__()
        self._connection, self._clock, self._end = connection, clock, end
        self._size = _LARGEST_HEAD

    def sendall(self, data: bytes) -> None:
        """Send the data; raises TimeoutError after `end`, as reading does."""
        self._connection.settimeout(_left(self._clock, self._end))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the stream for `http.client` to read."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the connection open: its owner closes it."""

    def readable(self) -> bool:
        """Return True, as RawIOBase requires."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read once from the connection; return 0 once the head is too large."""
        if self._size == 0:
            return 0
        self._connection.settimeout(_left(self._clock, self._end))
        count = self._connection.recv_into(memoryview(buffer)[: self._size])
        self._size -= count
        return count


def exchange(
    connection: Limited, method: str, target: str, headers: Mapping[str, str]
) -> tuple[int, datetime | None]:
    """Return status and `Date` of a response, without its body; 0 and None if it is not HTTP.

    Raises OSError if the connection breaks or is too slow.
    """
    client = HTTPConnection("")
    client.sock = connection
    try:
        client.request(method, target, headers=headers)
        with client.getresponse() as answer:
            return answer.status, http_date(answer.headers.get("Date", ""))
    except HTTPException:
        return 0, None


def _left(clock: Clock, end: float) -> float:
    left = end - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _issuer(leaf: bytes) -> str:
    """Return the issuer's organization or else common name; empty for an unreadable certificate."""
    try:
        issuer = x509.load_der_x509_certificate(leaf).issuer
    except ValueError:
        return ""
    names = [
        *issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME),
        *issuer.get_attributes_for_oid(NameOID.COMMON_NAME),
    ]
    return plain(names[0].value, _LONGEST) if names else ""


def show_unknown_certificate(context: ssl.SSLContext) -> None:
    """Make `context` send a self-signed certificate on request, also post-handshake (RFC 8446)."""
    context.post_handshake_auth = True
    # OpenSSL loads keys from a path only. This file is in memory and disappears when it is closed.
    handle = os.memfd_create("client-certificate")
    try:
        view = memoryview(_pem())
        while view:
            view = view[os.write(handle, view) :]
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


@cache
def _pem() -> bytes:
    """Return a key and certificate in PEM, created once per run."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mst-readiness")])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        # The certificate is valid even if this host's clock is wrong.
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def served_leaf(address: str, port: int, *, proxy_protocol: bool = False) -> bytes:
    """Return the leaf certificate (DER) that a TLS server presents; nothing is verified.

    Set `proxy_protocol` if the server expects the PROXY header first. Raises NetworkError if the handshake
    does not succeed within 5 seconds.
    """
    try:
        with socket.create_connection((address, port), 5) as connection:
            connection.sendall(_LOCAL if proxy_protocol else b"")
            with unverified_context().wrap_socket(connection) as wrapped:
                leaf = wrapped.getpeercert(binary_form=True)
    except OSError as error:
        raise NetworkError(
            "handshake-failed",
            "TLS handshake with {address} port {port} failed: {reason}",
            hint="Check `mst-cli server logs`.",
            address=address,
            port=port,
            reason=error,
        ) from error
    return leaf or b""


def connect(host: str, port: int, *, timeout: float = 5) -> None:
    """Open a TCP connection and close it again. Raises NetworkError."""
    try:
        socket.create_connection((host, port), timeout).close()
    except TimeoutError as error:
        raise NETWORK_TIMEOUT(host=host) from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NETWORK_UNREACHABLE(host=host, reason=reason) from error


def addresses_of(name: str) -> tuple[str, ...]:
    """Return the IP addresses that a name resolves to on this host; empty if it does not resolve."""
    try:
        return tuple(dict.fromkeys(address.partition("%")[0] for address in resolve(name)))
    except NetworkError:
        return ()
