"""The HTTP interface of a container engine: Podman and Docker differ in paths and answers, not in this."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from mstunnel_setup.errors import Declared, EngineError
from mstunnel_setup.foreign import json_value
from mstunnel_setup.host.local_client import LocalService, Response
from mstunnel_setup.text import printable

# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_SECONDS = 600.0
# Delimiters in the name of an image.
_SAFE = "/:@"


@dataclass(frozen=True)
class Answer:
    """What an engine answered: the status of HTTP and the body."""

    status: int
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def ok(self) -> bool:
        """Whether the engine did it, or had done it before."""
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def missing(self) -> bool:
        """Whether there is no such thing."""
        return self.status == HTTPStatus.NOT_FOUND

    def required(self) -> "Answer":
        """This answer. Raises OSError with the engine's words when it is a refusal."""
        if not self.ok:
            raise OSError(words(self.text) or f"HTTP {self.status}")
        return self

    def json(self) -> Any:
        """The value of the body. Raises OSError when it is no JSON."""
        try:
            return json_value(self.body)
        except ValueError as error:
            raise OSError("the answer is not JSON") from error


def words(body: str) -> str:
    """What the body of a refusal says: a JSON object of Podman or Docker, or the text of a proxy."""
    try:
        said = json_value(body)
    except ValueError:
        return body
    found = (said.get("message") or said.get("cause")) if isinstance(said, dict) else None
    return found if isinstance(found, str) else body


@dataclass(frozen=True)
class EngineApi:
    """The interface of one version, whose paths begin with `prefix`. Every failure is an OSError."""

    service: LocalService
    prefix: str = ""

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | None = None,
        timeout: float = _CALL_SECONDS,
    ) -> Answer:
        """The whole answer."""
        with self.service.ask(method, self._target(path, query), timeout, headers, body) as response:
            return Answer(response.status, response.read())

    def stream(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], timeout: float
    ) -> AbstractContextManager[Response]:
        """The answer as it comes."""
        return self.service.ask(method, self._target(path, query), timeout, headers)

    def _target(self, path: str, query: Mapping[str, str] | None) -> str:
        target = quote(f"{self.prefix}{path}", _SAFE)
        return f"{target}?{urlencode(query)}" if query else target


@contextmanager
def explained(declared: Declared[EngineError], **values: object) -> Iterator[None]:
    """Raise `declared` with the reason for what the engine refuses, and for a connection that breaks."""
    try:
        yield
    except OSError as error:
        raise declared(reason=reason(error), **values) from error


def reason(error: OSError) -> str:
    """The engine's words, or those of the operating system."""
    return printable(str(error.strerror or error)).strip()
