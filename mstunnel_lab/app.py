"""The lab's web application: routes of Graph, sign-in and pages, middleware, error handlers."""

import asyncio
import uuid
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mstunnel_lab import control
from mstunnel_lab.admin_center import profiles as profile_pages
from mstunnel_lab.admin_center import servers as server_pages
from mstunnel_lab.admin_center import session, sites
from mstunnel_lab.admin_center.render import go_to, style
from mstunnel_lab.entra import oauth, sign_in
from mstunnel_lab.errors import GraphError, OAuthError
from mstunnel_lab.faults import Fault, Throttle, take
from mstunnel_lab.graph import approvals, apps, credentials, directory, profiles, servers, tunnel
from mstunnel_lab.graph.http import graph_error, http_error
from mstunnel_lab.state import Labs, tenant_of_token

_LOGS_BYTES: Final = 32 << 20
_BYTES: Final = 1 << 20


def with_faults(app: ASGIApp, faults: list[Fault], throttle: Throttle) -> ASGIApp:
    """Wrap the application with `faults` and `throttle` for all requests except those to control paths."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        is_active = faults or throttle.limit
        if is_active and scope["type"] == "http" and not scope["path"].startswith("/lab/control/"):
            method, path = scope["method"], scope["path"]
            seconds = throttle.wait(method, path, tenant_of_token(Request(scope)))
            wait = None if seconds is None else Fault(status=429, retry_after=seconds)
            fault = wait or take(faults, method, path)
        if fault is not None:
            await asyncio.sleep(fault.delay)
        if fault is None or fault.status == 0:
            await app(scope, receive, send)
        else:
            kind, body = fault.content(scope["path"])
            retry = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            await Response(body, fault.status, {"content-type": kind, **retry})(scope, receive, send)

    return layer


def with_request_ids(app: ASGIApp) -> ASGIApp:
    """Wrap the application so that each response has a request id, as Graph's and Entra's do."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        name = "request-id" if scope.get("path", "").startswith(("/beta/", "/v1.0/")) else "x-ms-request-id"

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(name, str(uuid.uuid4()))
            await send(message)

        await app(scope, receive, named)

    return layer


def with_limit(app: ASGIApp) -> ASGIApp:
    """Wrap the application so that a body is limited to 1 MiB, or 32 MiB for uploaded logs.

    Reading further raises `GraphError` 413 in the handler, which refuses the request as it does others.
    """

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        limit = _LOGS_BYTES if scope.get("path", "").startswith("/lab/control/logs/") else _BYTES
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise GraphError(413, "RequestEntityTooLarge", "The request body is too large.")
            return message

        await app(scope, bounded, send)

    return layer


async def _home(_request: Request) -> Response:
    """Redirect to the servers, with which Intune's admin center begins, too."""
    return go_to("/admin/servers")


PAGES = [
    *sign_in.ROUTES,
    *session.ROUTES,
    Route("/admin", _home),
    *server_pages.ROUTES,
    *sites.ROUTES,
    *profile_pages.ROUTES,
    Route("/lab.css", style),
]


def make_app(labs: Labs) -> Starlette:
    """Return the application that serves these tenants.

    Tunnel entities exist in Graph beta only; directory objects in beta and v1.0.
    """
    objects = [*directory.ROUTES, *credentials.ROUTES]
    intune = [
        *tunnel.ROUTES,
        *servers.ROUTES,
        *profiles.ROUTES,
        *apps.STORE_ROUTES,
        *approvals.ROUTES,
    ]
    beta = [
        Mount("/deviceManagement", routes=intune),
        Mount("/deviceAppManagement", routes=apps.ROUTES),
        *objects,
    ]
    app = Starlette(
        routes=[
            Mount("/beta", routes=beta),
            Mount("/v1.0", routes=objects),
            *control.ROUTES,
            *servers.DOWNLOADS,
            *PAGES,
            *oauth.ROUTES,
        ],
        middleware=[
            Middleware(with_request_ids),
            Middleware(with_limit),
            Middleware(with_faults, faults=labs.faults, throttle=labs.throttle),
        ],
        exception_handlers={
            GraphError: graph_error,
            OAuthError: oauth.oauth_error,
            HTTPException: http_error,
            # The client disconnected while it sent its request, so nobody reads this response.
            ClientDisconnect: lambda _request, _error: Response(status_code=400),
        },
    )
    app.router.redirect_slashes = False
    app.state.labs = labs
    return app
