"""Admin center: sites."""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import judge_site, site_body
from mstunnel_lab import tunnel
from mstunnel_lab.admin_center import site_form as texts
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
from mstunnel_lab.graph.lazy_entities import Rows
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration

_ALL: Final = "/admin/sites"
_TAB: Final = "sites"
_WHAT: Final = "site"


def _found(request: Request, lab: Lab) -> SiteRecord:
    return lab.required(SiteRecord, request.path_params["id"])


def _configurations(lab: Lab) -> tuple[TunnelConfiguration, ...]:
    found = lab.store.each(TunnelConfiguration)
    return tuple(sorted(found, key=lambda item: item.display_name.casefold()))


@signed_in
async def sites(request: Request, lab: Lab) -> Response:
    """List sites."""
    names = {item.id: item.display_name for item in _configurations(lab)}
    columns = (
        Column[SiteRecord]("name", "Name", lambda item: item.display_name),
        Column[SiteRecord]("address", "Public IP address or FQDN", lambda item: item.public_address or ""),
        Column[SiteRecord](
            "configuration", "Server configuration", lambda item: names.get(item.configuration_id, "")
        ),
        Column[SiteRecord](
            "servers", "Servers", lambda item: str(lab.store.count(ServerRecord, parent=item.id))
        ),
        Column[SiteRecord](
            "upgrade",
            "Upgrade type",
            lambda item: "Automatic" if item.upgrade_automatically else "Manual",
            "word",
        ),
    )
    found = listing(request, Rows(lab.store, SiteRecord), columns)
    return page(request, "list.html", tab=_TAB, title="Sites", found=found, create="Create")


@signed_in
async def site(request: Request, lab: Lab) -> Response:
    """Show one, its id to join it by, and what there is to say about it."""
    found = _found(request, lab)
    values = texts.shown(found)
    return page(
        request,
        "site.html",
        tab=_TAB,
        found=found,
        configuration=lab.required(TunnelConfiguration, found.configuration_id),
        values=values,
        servers=lab.store.each(ServerRecord, parent=found.id),
        advice=judge_site(texts.declared(values)),
        labels=Form(texts.groups(()), {}).labels,
        saved="saved" in request.query_params,
        asked=found.model_dump(by_alias=True).get("labUpgradeRequestedDateTime"),
    )


@signed_in
async def new(request: Request, lab: Lab) -> Response:
    """Create one."""
    return await answer(
        request, lab, _subject(lab), _judged, lambda wish: tunnel.create_site(lab, without_empty(wish.body))
    )


@signed_in
async def edit(request: Request, lab: Lab) -> Response:
    """Change one."""
    found = _found(request, lab)

    def store(wish: Wish) -> SiteRecord:
        return tunnel.change_site(lab, found, without_scope_tags(wish.body))

    return await answer(request, lab, _subject(lab, found), _judged, store)


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Delete one, after a question."""
    found = _found(request, lab)
    if request.method == "GET":
        return delete_page(request, _WHAT, _ALL, found)
    tunnel.delete_site(lab, found)
    return go_to(_ALL)


@signed_in
async def upgrade(request: Request, lab: Lab) -> Response:
    """Ask the servers of a site to upgrade."""
    found = _found(request, lab)
    tunnel.ask_for_upgrade(lab, found)
    return go_to(f"{_ALL}/{found.id}")


def _judged(values: Values) -> Wish:
    """Return what was typed, judged by the rules of mst-admin; raises `RefusedError`."""
    declared = texts.declared(values)
    found = judge_site(declared)
    if problems := problems_of(found):
        raise RefusedError(problems)
    reference: JsonObject = {"microsoftTunnelConfiguration": {"id": declared.configuration}}
    return Wish({**site_body(declared, datetime.now(UTC)), **reference}, advice=found)


def _subject(lab: Lab, found: SiteRecord | None = None) -> Subject:
    """Return the form: as in Intune, a site is stored without a review."""
    configurations = _configurations(lab)
    return Subject(
        _WHAT,
        _ALL,
        texts.groups(configurations),
        texts.shown(found) if found else texts.new(configurations),
        found,
        field_of=texts.FIELD_OF,
        suggestions={"time-zones": tuple(texts.time_zones())},
        reviewed=False,
    )


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, sites),
    Route(f"{_ALL}/new", new, methods=_FORM),
    Route(f"{_ALL}/{{id}}", site),
    Route(f"{_ALL}/{{id}}/edit", edit, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
    Route(f"{_ALL}/{{id}}/upgrade", upgrade, methods=["POST"]),
]
