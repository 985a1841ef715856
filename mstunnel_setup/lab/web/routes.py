"""All web pages of the lab."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.lab.web import (
    admin_configurations,
    admin_health,
    admin_servers,
    admin_sites,
    consent_pages,
    device_pages,
    session,
)
from mstunnel_setup.lab.web.render import go_to, style


async def _home(_request: Request) -> Response:
    """The admin center begins with its servers, as Intune's does."""
    return go_to("/admin/servers")


ROUTES = [
    *device_pages.ROUTES,
    *consent_pages.ROUTES,
    *session.ROUTES,
    Route("/admin", _home),
    *admin_servers.ROUTES,
    *admin_sites.ROUTES,
    *admin_configurations.ROUTES,
    *admin_health.ROUTES,
    Route("/lab.css", style),
]
