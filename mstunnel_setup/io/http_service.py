"""HTTP with a service of this machine, such as that of a container engine.

Every command waits until what it needs is imported. podman-py takes 170 ms and the Docker SDK 120, most of it
requests, and an engine needs nothing of them but a request and its answer: `http.client` does that in 10.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from typing_extensions import override

from mstunnel_setup.base.parsing import json_value

_PIECE = 512


class ServiceError(OSError):
    """The service refused, in its own words; or it gave no answer that can be read."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: its HTTP status, its body and its headers."""

    status: int
    body: bytes
    headers: Message = field(default_factory=Message)

    @property
    def ok(self) -> bool:
        """Whether the request was carried out, or had been before (304)."""
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def missing(self) -> bool:
        """Whether the service does not have what was asked for."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def words(self) -> str:
        """What a refusal says: in the JSON object of Podman or Docker, or as the text of a proxy."""
        text = self.body.decode(errors="replace")
        try:
            said = json_value(self.body)
        except ValueError:
            return text
        found = (said.get("message") or said.get("cause")) if isinstance(said, dict) else None
        return found if isinstance(found, str) else text

    def checked(self, *accepted: HTTPStatus) -> "Answer":
        """The same answer. Raises ServiceError when it is a refusal, unless its status is accepted."""
        if not self.ok and self.status not in accepted:
            raise ServiceError(self.words or f"HTTP status {self.status}")
        return self

    def json(self) -> Any:
        """The value in the body. Raises ServiceError for a refusal, or a body that is not JSON."""
        try:
            return json_value(self.checked().body)
        except ValueError as error:
            raise ServiceError(f"the answer is not JSON: {error}") from error

    def text(self, name: str) -> str:
        """The text at `name` in the object in the body. Raises ServiceError as `json`, or without one."""
        value = self.json()
        found = value.get(name) if isinstance(value, dict) else None
        if not isinstance(found, str):
            raise ServiceError(f"the answer has no {name}")
        return found


class Streamed:
    """An answer that arrives bit by bit."""

    def __init__(self, response: HTTPResponse, connected: socket.socket) -> None:
        self._response = response
        self._connected = connected

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return self._response.status < HTTPStatus.BAD_REQUEST

    def read(self, seconds: float) -> bytes:
        """The next piece, at most 512 bytes; empty at the end. Raises OSError when none arrives in time."""
        self._connected.settimeout(seconds)
        return self._response.read1(_PIECE)

    def rest(self) -> Answer:
        """The answer with all of the body that is left."""
        return Answer(self._response.status, self._response.read(), self._response.headers)


class HttpService:
    """The service at `address` (`unix:///path` or `tcp://host:port`; ValueError for any other).

    `prefix` is the version of its interface, which precedes each path; `timeout` is in seconds, between two
    pieces of an answer. Every method raises OSError when the service does not answer, ServiceError included.
    """

    def __init__(self, address: str, prefix: str, timeout: float) -> None:
        split = urlsplit(address)
        self._path = address.removeprefix("unix://") if address.startswith("unix:///") else ""
        if not self._path and not (split.scheme == "tcp" and split.port):
            raise ValueError(address)
        self._host, self._port = split.hostname or "localhost", split.port
        self._prefix = prefix
        self._timeout = timeout

    def get(self, path: str) -> Answer:
        """Ask for something."""
        return self.request("GET", path)

    def post(self, path: str, **parameters: str) -> Answer:
        """Have something done."""
        return self.request("POST", path, parameters)

    def delete(self, path: str, **parameters: str) -> Answer:
        """Have something removed."""
        return self.request("DELETE", path, parameters)

    def upload(self, path: str, content: Iterable[bytes], timeout: float, **parameters: str) -> Answer:
        """Send an archive, piece by piece."""
        headers = {"Content-Type": "application/x-tar"}
        with self.streamed(
            "POST", path, parameters, headers=headers, content=content, timeout=timeout
        ) as answer:
            return answer.rest()

    def request(self, method: str, path: str, parameters: Mapping[str, str] = {}) -> Answer:
        """Send a request and read its whole answer."""
        with self.streamed(method, path, parameters) as answer:
            return answer.rest()

    @contextmanager
    def streamed(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] = {},
        *,
        headers: Mapping[str, str] = {},
        content: Iterable[bytes] | None = None,
        timeout: float | None = None,
    ) -> Iterator[Streamed]:
        """Send a request; its answer is read in the `with` block."""
        target = quote(self._prefix + path, safe="/:@") + ("?" + urlencode(parameters) if parameters else "")
        connection = _Connection(self._path, self._host, self._port, timeout or self._timeout)
        try:
            with closing(connection):
                connection.connect()
                connected = connection.sock
                connection.request(method, target, content, headers)
                with closing(connection.getresponse()) as response:
                    yield Streamed(response, connected)
        except HTTPException as error:
            raise ServiceError(f"no HTTP answer ({type(error).__name__})") from error
        except TimeoutError as error:
            raise ServiceError("timeout: no answer in time") from error


class _Connection(HTTPConnection):
    """A connection by TCP, or to the Unix socket at `path`."""

    def __init__(self, path: str, host: str, port: int | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._path = path

    @override
    def connect(self) -> None:
        if self._path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        else:
            super().connect()
