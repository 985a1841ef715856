"""A limit on request bodies, for every path: what is too large is refused before it fills the memory."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mstunnel_setup.lab.errors import GraphError

LOGS_BYTES: Final = 32 << 20
_BYTES: Final = 1 << 20
_TOO_LARGE: Final = 413


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
