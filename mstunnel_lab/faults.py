"""What the lab answers instead of the truth: faults on demand, and the limit of Graph on changes.

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
    """One fault: requests it is for, and what they get.

    `path` is a glob over the path of the address. `status` 0 lets the request through after `delay` seconds.
    `times` counts down; None lasts until it is cleared. `body` "html" is what a captive portal sends.
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
    """Return the first of the faults that wait for a request like this, and count it; None without one."""
    for position, fault in enumerate(waiting):
        if fault.method in {None, method} and fnmatch.fnmatchcase(path, fault.path):
            if fault.times == 1:
                del waiting[position]
            elif fault.times is not None:
                waiting[position] = fault.model_copy(update={"times": fault.times - 1})
            return fault
    return None


class WriteLimit(BaseModel, frozen=True, extra="forbid"):
    """So many requests that change something may reach Graph within `seconds`."""

    requests: Annotated[int, Field(ge=1, le=100_000)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class Throttle:
    """Counts what changes a tenant, and refuses what exceeds the limit; there is none until one is set."""

    def __init__(self) -> None:
        self.limit: WriteLimit | None = None
        self.refused = 0
        self._taken: dict[str, deque[float]] = {}

    def set(self, limit: WriteLimit | None) -> None:
        """Use this limit from now on, None: no limit."""
        self.limit, self.refused = limit, 0
        self._taken.clear()

    def wait(self, method: str, path: str, tenant: str) -> int | None:
        """Return after how many whole seconds this request may come again; None when it is taken."""
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
