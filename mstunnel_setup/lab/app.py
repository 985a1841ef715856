"""The lab's web application: routes and error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from mstunnel_setup.lab import (
    connection,
    control,
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
from mstunnel_setup.lab.web import routes as web


def make_app(labs: Labs) -> Starlette:
    """Return the application that serves these tenants.

    Tunnel entities exist in Graph beta only; directory objects in beta and v1.0.
    """
    intune = [*graph_tunnel.ROUTES, *graph_servers.ROUTES, *graph_intune.ROUTES, *graph_logs.ROUTES]
    directory = [*graph_directory.ROUTES, *graph_credentials.ROUTES, *graph_keys.ROUTES]
    beta = [Mount("/deviceManagement", routes=intune), *directory]
    graph = [Mount("/beta", routes=beta), Mount("/v1.0", routes=directory)]
    app = Starlette(
        routes=[
            *graph,
            *connection.ROUTES,
            *control.ROUTES,
            *graph_logs.DOWNLOADS,
            *web.ROUTES,
            *oauth.ROUTES,
        ],
        middleware=[
            Middleware(RequestIds),
            Middleware(BodyLimit),
            Middleware(FaultLayer, faults=labs.faults),
        ],
        exception_handlers={
            GraphError: graph_error,
            OAuthError: oauth_error,
            HTTPException: http_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.labs = labs
    return app
