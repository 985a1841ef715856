"""Admin center: sites."""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.admin.rules_site import judge_site
from mstunnel_setup.admin.wire import site_body, without_empty
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.lab import tunnel
from mstunnel_setup.lab.lazy_entities import Rows
from mstunnel_setup.lab.records import ServerRecord, SiteRecord
from mstunnel_setup.lab.state import Lab
from mstunnel_setup.lab.web import site_form as texts
from mstunnel_setup.lab.web.changes import RefusedError, form_page, keep_scope_tags, refusals, refuse_stale
from mstunnel_setup.lab.web.forms import Form, Problems, Values, problems_of, read
from mstunnel_setup.lab.web.render import go_to, listing, page
from mstunnel_setup.lab.web.session import signed_in
from mstunnel_setup.tenant.wire import TunnelConfiguration

_ALL: Final = "/admin/sites"
_TAB: Final = "sites"


def _found(request: Request, lab: Lab) -> SiteRecord:
    return lab.required(SiteRecord, request.path_params["id"])


def _configurations(lab: Lab) -> tuple[TunnelConfiguration, ...]:
    found = lab.store.each(TunnelConfiguration)
    return tuple(sorted(found, key=lambda item: item.display_name.casefold()))


@signed_in
async def sites(request: Request, lab: Lab) -> Response:
    """List sites."""
    names = {item.id: item.display_name for item in _configurations(lab)}
    found = listing(request, Rows(lab.store, SiteRecord))
    servers = {site.id: lab.store.count(ServerRecord, parent=site.id) for site in found.items}
    return page(request, "sites.html", tab=_TAB, found=found, configurations=names, servers=servers)


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
        window=f"{values['window_start']} to {values['window_end']}, {values['window_zone']}",
        limited=bool(values["window_limited"]),
        servers=lab.store.each(ServerRecord, parent=found.id),
        advice=judge_site(texts.declared(values)),
        saved="saved" in request.query_params,
        asked=found.model_dump(by_alias=True).get("labUpgradeRequestedDateTime"),
    )


@signed_in
async def new(request: Request, lab: Lab) -> Response:
    """Create one."""
    if request.method == "GET":
        return _form(request, lab, texts.new(_configurations(lab)))
    values = read(await request.form(), texts.groups(()))
    try:
        with refusals():
            created = tunnel.create_site(lab, without_empty(_judged(values)))
    except RefusedError as refusal:
        return _form(request, lab, values, refusal.problems)
    return go_to(f"{_ALL}/{created.id}?saved")


@signed_in
async def edit(request: Request, lab: Lab) -> Response:
    """Change one."""
    found = _found(request, lab)
    if request.method == "GET":
        return _form(request, lab, texts.shown(found), found=found)
    form = await request.form()
    values = read(form, texts.groups(()))
    try:
        refuse_stale(form, found)
        with refusals():
            tunnel.change_site(lab, found, keep_scope_tags(_judged(values)))
    except RefusedError as refusal:
        return _form(request, lab, values, refusal.problems, found)
    return go_to(f"{_ALL}/{found.id}?saved")


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Delete one, after a question."""
    found = _found(request, lab)
    if request.method == "GET":
        what, back = f"site {found.display_name}", f"{_ALL}/{found.id}"
        return page(request, "delete.html", tab=_TAB, what=what, back=back, also="")
    tunnel.delete_site(lab, found)
    return go_to(_ALL)


@signed_in
async def upgrade(request: Request, lab: Lab) -> Response:
    """Ask the servers of a site to upgrade."""
    found = _found(request, lab)
    tunnel.ask_for_upgrade(lab, found)
    return go_to(f"{_ALL}/{found.id}")


def _judged(values: Values) -> JsonObject:
    """Return the body for what was typed, judged by the rules of mst-admin; raises `RefusedError`."""
    wish = texts.declared(values)
    problems = problems_of(judge_site(wish))
    if problems:
        raise RefusedError({texts.FIELD_OF.get(name, name): said for name, said in problems.items()})
    reference: JsonObject = {"microsoftTunnelConfiguration": {"id": wish.configuration}}
    return {**site_body(wish, datetime.now(UTC)), **reference}


def _form(
    request: Request,
    lab: Lab,
    values: Values,
    problems: Problems | None = None,
    found: SiteRecord | None = None,
) -> Response:
    form = Form(texts.groups(_configurations(lab)), values, problems or {})
    return form_page(request, form, "site", _ALL, found, time_zones=texts.time_zones())


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, sites),
    Route(f"{_ALL}/new", new, methods=_FORM),
    Route(f"{_ALL}/{{id}}", site),
    Route(f"{_ALL}/{{id}}/edit", edit, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
    Route(f"{_ALL}/{{id}}/upgrade", upgrade, methods=["POST"]),
]
