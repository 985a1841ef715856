"""HTTP to a service on this machine, at its Unix socket or at a port: quick to import, nothing to verify."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse

from typing_extensions import override

_UNIX = "unix://"
_TCP = "tcp://"


class Response:
    """The answer to one request, read as far as it is wanted."""

    def __init__(self, response: HTTPResponse, link: socket.socket) -> None:
        self._response = response
        self._link = link
        self.status = response.status

    def read(self) -> bytes:
        """The rest of the body."""
        return self._response.read()

    def pieces(self, size: int) -> Iterator[bytes]:
        """The rest of the body as it comes, in pieces of at most `size` bytes."""
        return iter(lambda: self._response.read1(size), b"")

    def limit(self, seconds: float) -> None:
        """Limit each read from now on."""
        self._link.settimeout(seconds)


class LocalService:
    """A service that speaks HTTP."""

    def __init__(self, address: str) -> None:
        """`address` is `unix:///PATH` or `tcp://HOST:PORT`. Raises ValueError for another."""
        self._path = address.removeprefix(_UNIX) if address.startswith(f"{_UNIX}/") else ""
        self._authority = address.removeprefix(_TCP)
        if not self._path and (self._authority in ("", address) or "/" in self._authority):
            raise ValueError(f"{address} is not the address of a local service")

    @contextmanager
    def ask(
        self,
        method: str,
        target: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | None = None,
    ) -> Iterator[Response]:
        """The response to a request on a connection of its own; each read and write takes `timeout` at most.

        What goes wrong, also while the response is read, is an OSError.
        """
        try:
            with closing(self._connection(timeout)) as connection:
                connection.connect()
                link = connection.sock
                # A service that refuses a body stops reading it; its answer says why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, target, body, headers or {})
                with closing(connection.getresponse()) as response:
                    yield Response(response, link)
        except HTTPException as error:
            raise OSError(f"the answer is not HTTP ({type(error).__name__})") from error

    def _connection(self, timeout: float) -> HTTPConnection:
        if self._path:
            return _UnixConnection(self._path, timeout)
        return HTTPConnection(self._authority, timeout=timeout)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
