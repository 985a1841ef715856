"""Plain network probes of the host."""

import socket
import ssl
from typing import Final

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.errors import NETWORK_TIMEOUT, NETWORK_UNREACHABLE

_LOCAL: Final = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
"""The header of the PROXY protocol, version 2, for a connection of the sender's own (LOCAL, no addresses)."""


def served_leaf(address: str, port: int, *, timeout: float = 5, proxy_protocol: bool = False) -> bytes:
    """The leaf certificate (DER) that a TLS server presents; nothing is verified.

    `proxy_protocol` says whether the server expects its header first. Raises NetworkError when the handshake
    does not succeed within `timeout` seconds.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((address, port), timeout) as plain:
            plain.sendall(_LOCAL if proxy_protocol else b"")
            with context.wrap_socket(plain) as wrapped:
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
    """The IP addresses that a name resolves to on this host; empty when it does not resolve."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))
