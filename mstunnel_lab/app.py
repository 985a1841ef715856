"""The lab's web application: routes of Graph, sign-in and pages, and error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from mstunnel_lab import connection, control
from mstunnel_lab.admin_center import (
    admin_app_configurations,
    admin_apps,
    admin_configurations,
    admin_health,
    admin_profiles,
    admin_servers,
    admin_sites,
    session,
)
from mstunnel_lab.admin_center.render import choose_language, go_to, style
from mstunnel_lab.entra import consent_pages, device_pages, oauth
from mstunnel_lab.entra.oauth import oauth_error
from mstunnel_lab.errors import GraphError, OAuthError
from mstunnel_lab.graph import (
    access as graph_access,
)
from mstunnel_lab.graph import (
    apps as graph_apps,
)
from mstunnel_lab.graph import (
    credentials as graph_credentials,
)
from mstunnel_lab.graph import (
    directory as graph_directory,
)
from mstunnel_lab.graph import (
    intune as graph_intune,
)
from mstunnel_lab.graph import (
    keys as graph_keys,
)
from mstunnel_lab.graph import (
    logs as graph_logs,
)
from mstunnel_lab.graph import (
    servers as graph_servers,
)
from mstunnel_lab.graph import (
    tunnel as graph_tunnel,
)
from mstunnel_lab.graph.http import graph_error, http_error
from mstunnel_lab.layers import BodyLimit, FaultLayer, RequestIds
from mstunnel_lab.state import Labs


async def _home(_request: Request) -> Response:
    """The admin center begins with its servers, as Intune's does."""
    return go_to("/admin/servers")


def _gone(_request: Request, _error: Exception) -> Response:
    """The client went away while it sent its request: no one reads this."""
    return Response(status_code=400)


PAGES = [
    *device_pages.ROUTES,
    *consent_pages.ROUTES,
    *session.ROUTES,
    Route("/admin", _home),
    *admin_servers.ROUTES,
    *admin_sites.ROUTES,
    *admin_configurations.ROUTES,
    *admin_health.ROUTES,
    *admin_profiles.SECTION.routes,
    *admin_apps.SECTION.routes,
    *admin_app_configurations.SECTION.routes,
    Route("/lab.css", style),
    Route("/language", choose_language),
]


def make_app(labs: Labs) -> Starlette:
    """Return the application that serves these tenants.

    Tunnel entities exist in Graph beta only; directory objects in beta and v1.0.
    """
    intune = [
        *graph_tunnel.ROUTES,
        *graph_servers.ROUTES,
        *graph_intune.ROUTES,
        *graph_logs.ROUTES,
        *graph_apps.STORE_ROUTES,
    ]
    directory = [
        *graph_directory.ROUTES,
        *graph_credentials.ROUTES,
        *graph_keys.ROUTES,
        *graph_access.ROUTES,
    ]
    beta = [
        Mount("/deviceManagement", routes=intune),
        Mount("/deviceAppManagement", routes=graph_apps.ROUTES),
        *directory,
    ]
    graph = [Mount("/beta", routes=beta), Mount("/v1.0", routes=directory)]
    app = Starlette(
        routes=[
            *graph,
            *connection.ROUTES,
            *control.ROUTES,
            *graph_logs.DOWNLOADS,
            *PAGES,
            *oauth.ROUTES,
        ],
        middleware=[
            Middleware(RequestIds),
            Middleware(BodyLimit),
            Middleware(FaultLayer, faults=labs.faults, throttle=labs.throttle),
        ],
        exception_handlers={
            GraphError: graph_error,
            OAuthError: oauth_error,
            HTTPException: http_error,
            ClientDisconnect: _gone,
        },
    )
    app.router.redirect_slashes = False
    app.state.labs = labs
    return app
