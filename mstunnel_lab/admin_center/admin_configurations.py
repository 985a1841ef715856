"""Admin center: server configurations."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.objects.configuration import configuration_body, configuration_object, judge_configuration
from mstunnel_lab import tunnel
from mstunnel_lab.admin_center import configuration_form as texts
from mstunnel_lab.admin_center.changes import (
    RefusedError,
    Subject,
    Wish,
    answer,
    delete_page,
    without_scope_tags,
)
from mstunnel_lab.admin_center.forms import Form, Values, problems_of
from mstunnel_lab.admin_center.lists import Column, listing
from mstunnel_lab.admin_center.render import go_to, page
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.records import SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.tenant.wire import TunnelConfiguration

_ALL: Final = "/admin/configurations"
_TAB: Final = "configurations"
_WHAT: Final = "server configuration"
_COLUMNS: Final = (
    Column[TunnelConfiguration]("name", "Name", lambda item: item.display_name),
    Column[TunnelConfiguration]("network", "IP address range", lambda item: item.network or ""),
    Column[TunnelConfiguration]("port", "Server port", lambda item: str(item.listen_port)),
    Column[TunnelConfiguration]("dns", "DNS servers", lambda item: ", ".join(item.dns_servers) or ""),
)


def _found(request: Request, lab: Lab) -> TunnelConfiguration:
    return lab.required(TunnelConfiguration, request.path_params["id"])


@signed_in
async def configurations(request: Request, lab: Lab) -> Response:
    """List server configurations."""
    found = sorted(lab.store.each(TunnelConfiguration), key=lambda item: item.display_name.casefold())
    shown = listing(request, found, _COLUMNS)
    return page(
        request, "list.html", tab=_TAB, title="Server configurations", found=shown, create="Create new"
    )


@signed_in
async def configuration(request: Request, lab: Lab) -> Response:
    """Show one, and what there is to say about it."""
    found = _found(request, lab)
    users = [site for site in lab.store.each(SiteRecord) if site.configuration_id == found.id]
    advice = judge_configuration(configuration_object(found))
    return page(
        request,
        "configuration.html",
        tab=_TAB,
        found=found,
        sites=users,
        advice=advice,
        labels=Form(texts.GROUPS, {}).labels,
        saved="saved" in request.query_params,
    )


@signed_in
async def new(request: Request, lab: Lab) -> Response:
    """Create one."""
    subject = Subject(_WHAT, _ALL, texts.GROUPS, texts.NEW)
    return await answer(
        request, lab, subject, _judged, lambda wish: tunnel.create_configuration(lab, wish.body)
    )


@signed_in
async def edit(request: Request, lab: Lab) -> Response:
    """Change one."""
    found = _found(request, lab)
    subject = Subject(_WHAT, _ALL, texts.GROUPS, texts.shown(found), found)

    def store(wish: Wish) -> TunnelConfiguration:
        return tunnel.change_configuration(lab, found, without_scope_tags(wish.body))

    return await answer(request, lab, subject, _judged, store)


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Delete one, after a question."""
    found = _found(request, lab)
    if request.method == "GET":
        return delete_page(request, _WHAT, _ALL, found)
    tunnel.delete_configuration(lab, found)
    return go_to(_ALL)


def _judged(values: Values) -> Wish:
    """Return what was typed, judged by the rules of mst-admin; raises `RefusedError`."""
    declared = texts.declared(values)
    found = judge_configuration(declared)
    if problems := problems_of(found):
        raise RefusedError(problems)
    return Wish(configuration_body(declared), advice=found)


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, configurations),
    Route(f"{_ALL}/new", new, methods=_FORM),
    Route(f"{_ALL}/{{id}}", configuration),
    Route(f"{_ALL}/{{id}}/edit", edit, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
]
