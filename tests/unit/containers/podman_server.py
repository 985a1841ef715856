"""A Podman service for tests, which sends prepared responses in turn."""

import socketserver
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.serving import serving


@dataclass(frozen=True)
class Answer:
    """A prepared response: status and body, with `pause` seconds before each piece of it.

    Status 0 sends no HTTP response.
    """

    status: int
    pieces: Sequence[bytes]
    pause: float = 0.0


@dataclass
class Server:
    """The prepared responses, of which the last is sent repeatedly, and the requests."""

    address: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def handle(self, connection: Any, stream: Any) -> None:
        while line := stream.readline():
            self.asked.append(unquote(line.decode().rpartition(" ")[0]))
            for _ in iter(stream.readline, b"\r\n"):
                pass
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer.status == 0:
                connection.sendall(b"".join(answer.pieces))
                return
            length = b"" if answer.status == 304 else b"Transfer-Encoding: chunked\r\n"
            connection.sendall(b"HTTP/1.1 %d Status\r\n%s\r\n" % (answer.status, length))
            for piece in answer.pieces:
                time.sleep(answer.pause)
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            if answer.status != 304:
                connection.sendall(b"0\r\n\r\n")


@contextmanager
def serve(path: Path) -> Iterator[Server]:
    """Run the service at `path`."""
    server = Server(f"unix://{path}")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                server.handle(self.request, self.rfile)

    class Threading(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with serving(Threading(str(path), Handler)):
        yield server
