"""Real servers on loopback: TLS with a date, a proxy, and servers that never respond."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

import trustme

import tests.serving

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Run a server on a free port, with a thread for each connection."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.settimeout(5)
                serve(self.request)

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with tests.serving.serving(server):
        yield server.server_address[1]


def tls(authority: trustme.CA, name: str, head: bytes) -> Serve:
    """Return a TLS server that answers any request with `head`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(head)

    return serve


def proxy(asked: list[str], port: int, *, refuse_addresses: bool = False) -> Serve:
    """Return a CONNECT proxy that leads all connections to `port` on loopback and notes their targets."""

    def serve(connection: socket.socket) -> None:
        target = connection.recv(4096).split(b" ")[1].decode()
        asked.append(target)
        if refuse_addresses and target[0].isdigit():
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port), 5) as inner:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(inner, connection), daemon=True)
            back.start()
            _copy(connection, inner)
            back.join(5)

    return serve


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(4096):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def silent(count: int) -> Iterator[list[int]]:
    """Open ports that accept connections and never send anything."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        yield [listener.getsockname()[1] for listener in listeners]
