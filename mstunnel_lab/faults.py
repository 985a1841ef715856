"""Simulated failures: faults on demand, and Graph's limit on changes.

Faults exist so that clients can be tested against them.
"""

import fnmatch
import json
import math
import time
from collections import deque
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from mstunnel_lab.errors import REFUSALS
from mstunnel_setup.base.values import JsonObject


def _known_refusal(number: int | None) -> int | None:
    if number is not None and number not in REFUSALS:
        raise ValueError(f"the lab does not know AADSTS{number}; known are {', '.join(map(str, REFUSALS))}")
    return number


class Fault(BaseModel, frozen=True, extra="forbid"):
    """One fault: the requests that it matches, and their responses.

    `path` is a glob over the path of the address. `status` 0 forwards the request after `delay` seconds.
    `times` counts down; None lasts until it is cleared. `body` "html" is the page of a captive portal.
    """

    path: str = "*"
    method: Literal["GET", "POST", "PATCH", "DELETE", "PUT"] | None = None
    status: Annotated[int, Field(ge=0, le=599)] = 503
    retry_after: Annotated[int, Field(ge=0, le=3600)] | None = None
    delay: Annotated[float, Field(ge=0, le=300)] = 0
    body: Literal["json", "html", "empty"] = "json"
    aadsts: Annotated[int | None, AfterValidator(_known_refusal)] = None
    times: Annotated[int, Field(ge=1)] | None = 1

    def content(self, path: str) -> tuple[str, bytes]:
        """Return content type and body."""
        if self.body == "html":
            return "text/html", b"<!doctype html><title>Sign in to this network</title>"
        if self.body == "empty":
            return "text/plain", b""
        document: JsonObject
        if "/oauth2/" not in path:
            codes = {429: "TooManyRequests", 503: "ServiceUnavailable", 504: "GatewayTimeout"}
            code = codes.get(self.status, "UnknownError")
            document = {"error": {"code": code, "message": "A fault that was asked for.", "innerError": {}}}
        elif self.aadsts is None:
            error, text = "temporarily_unavailable", "The server is too busy."
            document = {"error": error, "error_description": text, "error_codes": []}
        else:
            error, text = REFUSALS[self.aadsts]
            text = f"AADSTS{self.aadsts}: {text}"
            document = {"error": error, "error_description": text, "error_codes": [self.aadsts]}
        return "application/json", json.dumps(document).encode()


def take(waiting: list[Fault], method: str, path: str) -> Fault | None:
    """Return the first fault that matches a request, and count it; None without one."""
    for position, fault in enumerate(waiting):
        if fault.method in {None, method} and fnmatch.fnmatchcase(path, fault.path):
            if fault.times == 1:
                del waiting[position]
            elif fault.times is not None:
                waiting[position] = fault.model_copy(update={"times": fault.times - 1})
            return fault
    return None


class WriteLimit(BaseModel, frozen=True, extra="forbid"):
    """The number of changing requests that Graph accepts within `seconds`."""

    requests: Annotated[int, Field(ge=1, le=100_000)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class Throttle:
    """Counts a tenant's changes, and refuses any above the limit; initially there is no limit."""

    def __init__(self) -> None:
        self.limit: WriteLimit | None = None
        self.refused = 0
        self._taken: dict[str, deque[float]] = {}

    def set(self, limit: WriteLimit | None) -> None:
        """Set the limit; None removes it."""
        self.limit, self.refused = limit, 0
        self._taken.clear()

    def wait(self, method: str, path: str, tenant: str) -> int | None:
        """Return the whole seconds after which to repeat this request; None if it is accepted."""
        if self.limit is None or method in {"GET", "HEAD"} or not path.startswith(("/beta/", "/v1.0/")):
            return None
        now, taken = time.monotonic(), self._taken.setdefault(tenant, deque())
        while taken and taken[0] <= now - self.limit.seconds:
            taken.popleft()
        if len(taken) < self.limit.requests:
            taken.append(now)
            return None
        self.refused += 1
        return max(1, math.ceil(taken[0] + self.limit.seconds - now))
