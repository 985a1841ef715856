"""A web server for metrics, for programs on this machine: on the loopback or a Unix socket only.

The answers are those of prometheus_client. Its own server takes no Unix socket, waits for a client for ever,
answers on every path and names the version of Python (`start_http_server`).
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from socketserver import TCPServer, ThreadingTCPServer, ThreadingUnixStreamServer
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.registry import Collector
from typing_extensions import override

from mstunnel_setup.base.errors import NetworkError, SetupError, UsageError

PATH: Final = "/metrics"

_UNIX: Final = "unix:"
# A client that sends nothing occupies a thread.
_PATIENCE_SECONDS: Final = 5
# Only owner and group may connect; the directory of the socket restricts access further.
_SOCKET_MASK: Final = 0o117


@dataclass(frozen=True)
class LocalAddress:
    """A port on the loopback, or the path of a Unix socket."""

    text: str
    host: str = ""
    port: int = 0
    path: str = ""


def local_address(text: str) -> LocalAddress:
    """Parse `127.0.0.1:PORT`, `[::1]:PORT` or `unix:/PATH`.

    Raises UsageError `listen-address-refused` for anything else, including host names, which others can
    redefine.
    """
    if text.startswith(f"{_UNIX}/"):
        return LocalAddress(text, path=text.removeprefix(_UNIX))
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
        if port is not None and parts.netloc == text and "@" not in text and ip_address(host).is_loopback:
            return LocalAddress(text, host, port)
    except ValueError:
        pass
    raise UsageError(
        "listen-address-refused",
        "{address} is not an address that is reachable from this machine only",
        hint="Use 127.0.0.1:PORT, [::1]:PORT or unix:/PATH.",
        address=text,
    )


@contextmanager
def listening(address: LocalAddress, collector: Collector) -> Iterator[TCPServer]:
    """Listen at the address; the server responds with the metrics of `collector` while `serve_forever` runs.

    A socket file is removed at the end; one that an earlier process left behind is replaced. Raises
    NetworkError `listen-failed`.
    """
    registry = CollectorRegistry(support_collectors_without_names=True)
    registry.register(collector)
    handler = _Handler.factory(registry)
    before = os.umask(_SOCKET_MASK) if address.path else None
    try:
        if address.path:
            _remove_abandoned(Path(address.path))
            server: TCPServer = _Unix(address.path, handler)
        else:
            server = (_Ipv6 if ":" in address.host else _Ipv4)((address.host, address.port), handler)
    except OSError as error:
        raise NetworkError(
            "listen-failed",
            "cannot listen on {address}: {reason}",
            hint="Stop what uses it, or choose another port or path.",
            address=address.text,
            reason=error.strerror or error,
        ) from error
    finally:
        if before is not None:
            os.umask(before)
    with server:
        try:
            yield server
        finally:
            if address.path:
                with contextlib.suppress(OSError):
                    Path(address.path).unlink()


def _remove_abandoned(path: Path) -> None:
    """Remove a socket that no process listens on."""
    # A connection to any other file is refused, too.
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as peer:
            # A process that is too busy to accept a connection still uses the socket.
            peer.settimeout(0)
            if peer.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()


class _Ipv4(ThreadingTCPServer):
    # A restart must not wait for the connections of the previous process.
    allow_reuse_address = True
    daemon_threads = True


class _Ipv6(_Ipv4):
    address_family = socket.AF_INET6


class _Unix(ThreadingUnixStreamServer):
    daemon_threads = True


class _Handler(MetricsHandler):
    timeout = _PATIENCE_SECONDS

    @override
    def do_GET(self) -> None:
        """Respond with the metrics, with 404 for another path, or with 503 if there are none to read."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            super().do_GET()
        except (LookupError, ValueError, SetupError):
            # The library collects before it answers.
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)

    @override
    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    @override
    def version_string(self) -> str:
        """Return our name, without any version."""
        return "mstunnel"
