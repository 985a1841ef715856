"""Admin center: servers."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.admin_center.render import attachment, field, go_to, page, words
from mstunnel_lab.admin_center.sections import Column, delete_page, listing
from mstunnel_lab.admin_center.session import caller, signed_in
from mstunnel_lab.entra import permissions
from mstunnel_lab.errors import GraphError, not_found
from mstunnel_lab.graph.servers import change_server, delete_server, server_called
from mstunnel_lab.graph.tunnel import status_of
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab, labs_of
from mstunnel_lab.store import Rows
from mstunnel_setup.base import rendering

_ALL: Final = "/admin/servers"
_TAB: Final = "servers"


def server_columns(lab: Lab) -> tuple[Column[ServerRecord], ...]:
    """Return name, site, health status and last check-in."""

    def site(item: ServerRecord) -> str:
        found = lab.store.get(SiteRecord, item.site_id)
        return found.display_name if found else ""

    def seen(item: ServerRecord) -> str:
        moment = item.last_checkin_date_time
        return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "never"

    return (
        Column("name", "Name", lambda item: item.display_name),
        Column("site", "Site", site),
        Column("status", "Health status", lambda item: status_of(lab, item).value, "status"),
        Column("seen", "Last check-in", seen, "word"),
    )


@signed_in
async def servers(request: Request, lab: Lab) -> Response:
    """List the servers of all sites."""
    mode = Column[ServerRecord]("mode", "Deployment mode", lambda item: item.deployment_mode or "")
    found = listing(request, Rows(lab.store, ServerRecord), (*server_columns(lab), mode))
    return page(request, "list.html", tab=_TAB, title="Servers", found=found, create="Create")


@signed_in
async def create(request: Request, lab: Lab) -> Response:
    """Show how a server is added, or download the answers about this tenant or the installation script.

    The script joins the home tenant, as `--lab` leads there.
    """
    labs = labs_of(request)
    is_home = lab.tenant.id == labs.home.tenant.id
    if request.url.path.endswith("/mstunnel-setup"):
        if not is_home:
            raise not_found("script", lab.tenant.id)
        script = rendering.render("lab/mstunnel-setup", lab_option=labs.setup_option)
        return attachment("mstunnel-setup", script, "application/x-sh")
    certificate = labs.authority.certificate_path.read_text().splitlines()
    client_id = lab.application_for("setup")
    answers = rendering.render(
        "lab/answers.yaml", urls=lab.urls, client_id=client_id, certificate=certificate
    )
    if request.url.path.endswith("/answers.yaml"):
        return attachment("answers.yaml", answers, "application/yaml")
    return page(request, "server_new.html", tab=_TAB, answers=answers, has_script=is_home)


@signed_in
async def server(request: Request, lab: Lab) -> Response:
    """Show one, or change its name."""
    found = server_called(lab, request.path_params["id"])
    problem = ""
    if request.method == "POST":
        name = field(await request.form(), "name").strip()
        try:
            permissions.may_write_tunnel(caller(request))
            change_server(lab, found, {"displayName": name}, caller(request))
            return go_to(f"{_ALL}/{found.id}?saved")
        except GraphError as error:
            problem = words(request)(error.message)
    return page(
        request,
        "server.html",
        400 if problem else 200,
        tab=_TAB,
        found=found,
        site=lab.store.get(SiteRecord, found.site_id),
        state=status_of(lab, found).value,
        problem=problem,
        saved="saved" in request.query_params,
    )


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Remove one, after a question."""
    found = server_called(lab, request.path_params["id"])
    if request.method == "GET":
        return delete_page(
            request,
            "server",
            _ALL,
            found.id,
            name=found.display_name,
            also="The gateway itself goes on running: uninstall it on its host (mst-cli uninstall).",
        )
    delete_server(lab, found)
    return go_to(_ALL)


ROUTES = [
    Route(_ALL, servers),
    *(Route(f"{_ALL}/new{path}", create) for path in ("", "/mstunnel-setup", "/answers.yaml")),
    Route(f"{_ALL}/{{id}}", server, methods=["GET", "POST"]),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=["GET", "POST"]),
]
