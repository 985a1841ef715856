"""Admin center: server configurations."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.admin.rules_configuration import judge_configuration
from mstunnel_setup.admin.wire import configuration_body, configuration_object
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.lab import tunnel
from mstunnel_setup.lab.records import SiteRecord
from mstunnel_setup.lab.state import Lab
from mstunnel_setup.lab.web import configuration_form as texts
from mstunnel_setup.lab.web.changes import RefusedError, form_page, keep_scope_tags, refusals, refuse_stale
from mstunnel_setup.lab.web.forms import Form, Problems, Values, problems_of, read
from mstunnel_setup.lab.web.render import go_to, listing, page
from mstunnel_setup.lab.web.session import signed_in
from mstunnel_setup.tenant.wire import TunnelConfiguration

_ALL: Final = "/admin/configurations"
_TAB: Final = "configurations"


def _found(request: Request, lab: Lab) -> TunnelConfiguration:
    return lab.required(TunnelConfiguration, request.path_params["id"])


@signed_in
async def configurations(request: Request, lab: Lab) -> Response:
    """List server configurations."""
    found = sorted(lab.store.each(TunnelConfiguration), key=lambda item: item.display_name.casefold())
    return page(request, "configurations.html", tab=_TAB, found=listing(request, found))


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
        saved="saved" in request.query_params,
    )


@signed_in
async def new(request: Request, lab: Lab) -> Response:
    """Create one."""
    if request.method == "GET":
        return _form(request, texts.NEW)
    values = read(await request.form(), texts.GROUPS)
    try:
        with refusals():
            created = tunnel.create_configuration(lab, _judged(values))
    except RefusedError as refusal:
        return _form(request, values, refusal.problems)
    return go_to(f"{_ALL}/{created.id}?saved")


@signed_in
async def edit(request: Request, lab: Lab) -> Response:
    """Change one."""
    found = _found(request, lab)
    if request.method == "GET":
        return _form(request, texts.shown(found), found=found)
    form = await request.form()
    values = read(form, texts.GROUPS)
    try:
        refuse_stale(form, found)
        with refusals():
            tunnel.change_configuration(lab, found, keep_scope_tags(_judged(values)))
    except RefusedError as refusal:
        return _form(request, values, refusal.problems, found)
    return go_to(f"{_ALL}/{found.id}?saved")


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Delete one, after a question."""
    found = _found(request, lab)
    if request.method == "GET":
        what, back = f"server configuration {found.display_name}", f"{_ALL}/{found.id}"
        return page(request, "delete.html", tab=_TAB, what=what, back=back, also="")
    tunnel.delete_configuration(lab, found)
    return go_to(_ALL)


def _judged(values: Values) -> JsonObject:
    """Return the body for what was typed, judged by the rules of mst-admin; raises `RefusedError`."""
    wish = texts.declared(values)
    if problems := problems_of(judge_configuration(wish)):
        raise RefusedError(problems)
    return configuration_body(wish)


def _form(
    request: Request,
    values: Values,
    problems: Problems | None = None,
    found: TunnelConfiguration | None = None,
) -> Response:
    form = Form(texts.GROUPS, values, problems or {})
    return form_page(request, form, "server configuration", _ALL, found)


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, configurations),
    Route(f"{_ALL}/new", new, methods=_FORM),
    Route(f"{_ALL}/{{id}}", configuration),
    Route(f"{_ALL}/{{id}}/edit", edit, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
]
