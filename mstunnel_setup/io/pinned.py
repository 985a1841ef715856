"""A root certificate that is known by its fingerprint: how trust in a server begins without any."""

import re
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.endpoint import unverified_context
from mstunnel_setup.io.http import proxy_for

FINGERPRINT: Final = re.compile(r"sha256:[0-9a-fA-F]{64}")
_LARGEST: Final = 64 * 1024
_HTTPS: Final = 443
_PROXY_PORT: Final = 3128


def fetch_root(url: str, *, seconds: float = 15) -> tuple[str, str]:
    """The certificate (PEM) at an https address, and its fingerprint, `sha256:` and hex digits.

    The server is not verified: use the certificate only where the fingerprint is the one expected.
    Raises NetworkError `root-unreachable`.
    """
    try:
        certificate = x509.load_pem_x509_certificate(_body(url, seconds))
    except (OSError, HTTPException, ValueError) as error:
        raise NetworkError(
            "root-unreachable",
            "no root certificate from {url}: {reason}",
            hint="Check the address, and that this host reaches it (proxy, firewall).",
            url=url,
            reason=getattr(error, "strerror", None) or error,
        ) from error
    return (
        certificate.public_bytes(Encoding.PEM).decode(),
        f"sha256:{certificate.fingerprint(SHA256()).hex()}",
    )


def _body(url: str, seconds: float) -> bytes:
    """The first 64 KiB that a GET returns; redirects are not followed. Raises OSError, HTTPException."""
    connection = _connection(url, seconds)
    try:
        connection.request("GET", urlsplit(url).path)
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"HTTP {answer.status}")
        return answer.read(_LARGEST)
    finally:
        connection.close()


def _connection(url: str, seconds: float) -> HTTPSConnection:
    """A connection that verifies nothing, through the proxy of the environment where that has one."""
    server, proxy = urlsplit(url), urlsplit(proxy_for(url) or "")
    host, port = str(server.hostname), server.port or _HTTPS
    context = unverified_context()
    if proxy.hostname is None:
        return HTTPSConnection(host, port, timeout=seconds, context=context)
    connection = HTTPSConnection(proxy.hostname, proxy.port or _PROXY_PORT, timeout=seconds, context=context)
    connection.set_tunnel(host, port)
    return connection
