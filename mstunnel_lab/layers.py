"""The layers in front of all paths: a name and a limit for every request, and a fault where one waits."""

import asyncio
import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mstunnel_lab.errors import GraphError
from mstunnel_lab.faults import Fault, Faults
from mstunnel_lab.state import tenant_of_token
from mstunnel_lab.throttle import Throttle

_CONTROL = "/lab/control/"
_TOO_MANY: Final = 429


class FaultLayer:
    """Asks `faults` and `throttle` about each request but those of the control paths."""

    def __init__(self, app: ASGIApp, faults: Faults, throttle: Throttle) -> None:
        self._app = app
        self._faults = faults
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        fault = self._fault(scope) if self._faults or self._throttle.limit else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.status == 0:
            await self._app(scope, receive, send)
        else:
            kind, body = fault.content(scope["path"])
            headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
            if fault.retry_after is not None:
                headers.append((b"retry-after", str(fault.retry_after).encode()))
            await send({"type": "http.response.start", "status": fault.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def _fault(self, scope: Scope) -> Fault | None:
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            return None
        method, path = scope["method"], scope["path"]
        seconds = self._throttle.wait(method, path, tenant_of_token(Request(scope)))
        if seconds is not None:
            return Fault(status=_TOO_MANY, retry_after=seconds)
        return self._faults.take(method, path)


LOGS_BYTES: Final = 32 << 20
_BYTES: Final = 1 << 20
_TOO_LARGE: Final = 413


class RequestIds:
    """ASGI layer that names each request in its answer, as Graph and Entra do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        name = "request-id" if scope.get("path", "").startswith(("/beta/", "/v1.0/")) else "x-ms-request-id"

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(name, str(uuid.uuid4()))
            await send(message)

        await self._app(scope, receive, named)


class BodyLimit:
    """ASGI layer that ends a body at 1 MiB, at 32 MiB where a server uploads its logs.

    Reading on raises `GraphError` 413 in the handler, which refuses the request as it does others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        limit = LOGS_BYTES if scope.get("path", "").endswith("/labContent") else _BYTES
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise GraphError(_TOO_LARGE, "RequestEntityTooLarge", "The request body is too large.")
            return message

        await self._app(scope, bounded, send)
