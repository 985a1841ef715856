"""Servers of the standard library, for tests that say themselves what is answered."""

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from socketserver import BaseServer, ThreadingMixIn, UnixStreamServer


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Have the server answer meanwhile, in a thread; it is closed afterwards."""
    # It looks that often whether it is to end: every half second without this.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Request:
    """What a client sent; `peer` is its end of the connection."""

    method: str
    path: str
    headers: Message
    body: bytes
    peer: object


@dataclass(frozen=True)
class Answer:
    """What it gets; for a body in pieces `headers` have to say where it ends."""

    status: int = 200
    body: bytes | Iterator[bytes] = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def answering(
    answer: Callable[[Request], Answer | None],
    *,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    at: Path | None = None,
) -> Iterator[int]:
    """Serve HTTP/1.1 on loopback, or at a Unix socket; yields the port. None: the connection is closed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = at is None

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the client has hung up
                super().handle()

        def _answer(self) -> None:
            body = _body(self.headers, self.rfile)
            found = answer(Request(self.command, self.path, self.headers, body, self.client_address))
            if found is None:
                self.close_connection = True
                return
            length, pieces = {}, found.body
            if isinstance(pieces, bytes):
                length, pieces = {"Content-Length": str(len(pieces))}, iter((pieces,))
            self.send_response(found.status)
            for name, value in {**length, **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in () if self.command == "HEAD" else pieces:
                self.wfile.write(piece)

        do_HEAD = do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            return

    if at is not None:
        with serving(_UnixServer(str(at), Handler)):
            yield 0
        return
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_port


def _body(headers: Message, stream: BufferedIOBase) -> bytes:
    if headers.get("Transfer-Encoding") != "chunked":
        return stream.read(int(headers.get("Content-Length", "0")))
    content = b""
    while size := int(stream.readline(), 16):
        content += stream.read(size)
        stream.readline()
    stream.readline()
    return content


def free_port() -> int:
    """An unused port, below those that the kernel gives to others at any moment (ip_local_port_range)."""
    while True:
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
