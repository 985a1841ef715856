"""Admin center: servers."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.lab import permissions, tunnel
from mstunnel_setup.lab.errors import GraphError
from mstunnel_setup.lab.lazy_entities import Rows
from mstunnel_setup.lab.records import ServerRecord, SiteRecord
from mstunnel_setup.lab.state import Lab
from mstunnel_setup.lab.web.render import field, go_to, listing, page
from mstunnel_setup.lab.web.session import caller, signed_in

_ALL: Final = "/admin/servers"
_TAB: Final = "servers"


@signed_in
async def servers(request: Request, lab: Lab) -> Response:
    """List the servers of all sites."""
    found = listing(request, Rows(lab.store, ServerRecord))
    sites = {item.site_id: lab.store.get(SiteRecord, item.site_id) for item in found.items}
    statuses = {item.id: tunnel.status_of(lab, item).value for item in found.items}
    return page(request, "servers.html", tab=_TAB, found=found, sites=sites, statuses=statuses)


@signed_in
async def create(request: Request, lab: Lab) -> Response:
    """Tell how a server is added: by the installer, which this page names."""
    return page(request, "server_new.html", tab=_TAB, urls=lab.urls)


@signed_in
async def server(request: Request, lab: Lab) -> Response:
    """Show one, or change its name."""
    found = lab.required(ServerRecord, request.path_params["id"])
    problem = ""
    if request.method == "POST":
        name = field(await request.form(), "name").strip()
        try:
            permissions.may_write_tunnel(caller(request))
            tunnel.change_server(lab, found, {"displayName": name}, caller(request))
            return go_to(f"{_ALL}/{found.id}?saved")
        except GraphError as error:
            problem = error.message
    return page(
        request,
        "server.html",
        400 if problem else 200,
        tab=_TAB,
        found=found,
        site=lab.store.get(SiteRecord, found.site_id),
        state=tunnel.status_of(lab, found).value,
        problem=problem,
        saved="saved" in request.query_params,
    )


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Remove one, after a question."""
    found = lab.required(ServerRecord, request.path_params["id"])
    if request.method == "GET":
        also = "The gateway itself goes on running: uninstall it on its host (mst-cli uninstall)."
        what, back = f"server {found.display_name}", f"{_ALL}/{found.id}"
        return page(request, "delete.html", tab=_TAB, what=what, back=back, also=also)
    tunnel.delete_server(lab, found)
    return go_to(_ALL)


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, servers),
    Route(f"{_ALL}/new", create),
    Route(f"{_ALL}/{{id}}", server, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
]
