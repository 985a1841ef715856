"""The lab's web application: routes and error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from mstunnel_setup.lab import graph_directory, graph_intune, graph_keys, graph_tunnel, oauth, pages
from mstunnel_setup.lab.errors import GraphError, OAuthError
from mstunnel_setup.lab.graph_http import graph_error, http_error
from mstunnel_setup.lab.oauth import oauth_error
from mstunnel_setup.lab.state import Lab


def make_app(lab: Lab) -> Starlette:
    """Return the application that serves one lab tenant.

    Tunnel entities exist in Graph beta only; directory objects in beta and v1.0.
    """
    intune = [*graph_tunnel.ROUTES, *graph_intune.ROUTES]
    directory = [*graph_directory.ROUTES, *graph_keys.ROUTES]
    beta = [Mount("/deviceManagement", routes=intune), *directory]
    graph = [Mount("/beta", routes=beta), Mount("/v1.0", routes=directory)]
    app = Starlette(
        routes=[*graph, *pages.ROUTES, *oauth.ROUTES],
        exception_handlers={
            GraphError: graph_error,
            OAuthError: oauth_error,
            HTTPException: http_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.lab = lab
    return app
