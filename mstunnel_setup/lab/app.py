"""The lab's web application: routes of Graph, sign-in and pages, and error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from mstunnel_setup.lab import (
    connection,
    control,
    graph_access,
    graph_apps,
    graph_credentials,
    graph_directory,
    graph_intune,
    graph_keys,
    graph_logs,
    graph_servers,
    graph_tunnel,
    oauth,
)
from mstunnel_setup.lab.errors import GraphError, OAuthError
from mstunnel_setup.lab.graph_http import graph_error, http_error
from mstunnel_setup.lab.layers import BodyLimit, FaultLayer, RequestIds
from mstunnel_setup.lab.oauth import oauth_error
from mstunnel_setup.lab.state import Labs
from mstunnel_setup.lab.web import (
    admin_app_configurations,
    admin_apps,
    admin_configurations,
    admin_health,
    admin_profiles,
    admin_servers,
    admin_sites,
    consent_pages,
    device_pages,
    session,
)
from mstunnel_setup.lab.web.render import choose_language, go_to, style


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
