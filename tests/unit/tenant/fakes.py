"""An HTTP port with prepared responses, a clock that advances only while sleeping, and tokens."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from mstunnel_setup.tenant.token_sources import TokenSource


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    options: Mapping[str, Any]


Reply = requests.Response | BaseException | Callable[[], requests.Response]


@dataclass
class FakeHttp:
    """An HTTP port that notes the calls and returns `replies` in turn, the last one repeatedly."""

    replies: list[Reply] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        self.calls.append(Call(method, url, options))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply if isinstance(reply, requests.Response) else reply()


def response(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> requests.Response:
    """Return a response whose body is text as given, None as nothing, and anything else as JSON."""
    made = requests.Response()
    made.status_code = status
    made._content = (
        b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )
    made.headers.update({"Content-Type": "application/json"} if not isinstance(body, str) else {})
    made.headers.update(headers or {})
    return made


def fixed_token(value: str = "opaque") -> TokenSource:
    return lambda: value


def jwt(**claims: object) -> str:
    """Return an unsigned token with these claims."""
    parts = [json.dumps({"alg": "none"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
