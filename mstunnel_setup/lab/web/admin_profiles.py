"""Admin center: VPN profiles for Microsoft Tunnel."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_setup.admin.assignments import targets
from mstunnel_setup.admin.profiles.exclusions import judge_exclusions, read_csv, write_csv
from mstunnel_setup.admin.profiles.objects import Platform, ProfileObject
from mstunnel_setup.admin.profiles.present import is_tunnel_profile, profile_object
from mstunnel_setup.admin.profiles.rules import judge_profile
from mstunnel_setup.admin.profiles.wire import TYPES, profile_body, server_address
from mstunnel_setup.lab.errors import not_found
from mstunnel_setup.lab.graph_intune import PROFILES
from mstunnel_setup.lab.records import SiteRecord
from mstunnel_setup.lab.state import Lab
from mstunnel_setup.lab.web import on_demand_form, render
from mstunnel_setup.lab.web import profile_form as texts
from mstunnel_setup.lab.web.changes import (
    RefusedError,
    Subject,
    Wish,
    answer,
    choice_page,
    delete_page,
    form_page,
    stored,
)
from mstunnel_setup.lab.web.forms import Form, Problems, Values, lines, problems_of, read
from mstunnel_setup.lab.web.lists import Column, listing
from mstunnel_setup.lab.web.render import attachment, go_to, page
from mstunnel_setup.lab.web.session import signed_in
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelConfiguration

_ALL: Final = "/admin/profiles"
_TAB: Final = "profiles"
_WHAT: Final = "VPN profile"
_CHOICE: Final = "Microsoft Tunnel does not support Android Enterprise dedicated devices."
_PLATFORMS: Final = {name: platform for platform, name in TYPES.items()}
_NO_SITE: Final = "There is no such site. Choose one from the list."
_NO_ENTRIES: Final = "This is not a CSV file with entries. Choose another file."
_RULES: Final = "rules"
"""Name of the hidden field with the number of on-demand rules in the form."""
_COLUMNS: Final = (
    Column[DeviceConfiguration]("name", "Name", lambda item: item.display_name),
    Column[DeviceConfiguration](
        "platform", "Platform", lambda item: texts.KINDS[_PLATFORMS[item.odata_type]], "word"
    ),
    Column[DeviceConfiguration](
        "connection",
        "Connection name",
        lambda item: str((item.model_extra or {}).get("connectionName") or ""),
    ),
)


@dataclass(frozen=True)
class _Editor:
    """The form of a profile: a new one for a platform, or one that is there (`found`, as `present`)."""

    lab: Lab
    platform: Platform
    rules: int
    found: DeviceConfiguration | None = None
    present: ProfileObject | None = None

    @property
    def sites(self) -> Sequence[SiteRecord]:
        """The sites there are to choose from."""
        return sorted(self.lab.store.each(SiteRecord), key=lambda item: item.display_name.casefold())

    @property
    def subject(self) -> Subject:
        """The form, as it is shown and sent."""
        groups = texts.groups(self.platform, self.sites, self.rules)
        begin = texts.shown(self.present) if self.present else texts.new(self.platform, self.sites)
        hidden = {_RULES: str(self.rules)}
        return Subject(_WHAT, _ALL, groups, begin, self.found, f"new/{self.platform}", hidden, texts.FIELD_OF)

    def with_rule(self) -> "_Editor":
        """The same with one more on-demand rule."""
        count = min(self.rules + 1, on_demand_form.MOST_RULES)
        return _Editor(self.lab, self.platform, count, self.found, self.present)

    def judged(self, values: Values) -> Wish:
        """Return what was typed, judged by the rules of mst-admin; raises `RefusedError`."""
        known = {app.id: app for app in self.present.apps} if self.present else {}
        profile = texts.declared(self.platform, values, self.rules, known)
        site = self.lab.store.get(SiteRecord, profile.site)
        used = self.lab.store.get(TunnelConfiguration, site.configuration_id) if site else None
        split_rules = bool(used.includes or used.excludes) if used else None
        findings = judge_profile(profile, split_rules=split_rules)
        problems = problems_of(findings)
        if site is None:
            problems.setdefault("site", []).append((_NO_SITE,))
        if site is None or problems:
            raise RefusedError(problems)
        address = server_address(site.public_address or "", (used and used.listen_port) or 443)
        body = profile_body(profile, site.id, address) | {"customKeyValueData": []}
        return Wish(body, [{"target": item} for item in targets(profile)], findings)

    def store(self, wish: Wish) -> DeviceConfiguration:
        """Create or change the profile."""
        return stored(self.lab, PROFILES, wish, self.found)


def _found(request: Request, lab: Lab) -> tuple[DeviceConfiguration, ProfileObject]:
    found = lab.required(DeviceConfiguration, request.path_params["id"])
    if not is_tunnel_profile(found):
        raise not_found("deviceConfiguration", found.id)
    return found, profile_object(found, lab.store.each(DeviceConfigurationAssignment, parent=found.id))


@signed_in
async def profiles(request: Request, lab: Lab) -> Response:
    """List the VPN profiles of the tunnel."""
    found = [item for item in lab.store.each(DeviceConfiguration) if is_tunnel_profile(item)]
    shown = listing(request, found, _COLUMNS)
    return page(request, "list.html", tab=_TAB, title="Configuration profiles", found=shown, create="Create")


@signed_in
async def profile(request: Request, lab: Lab) -> Response:
    """Show one, and what there is to say about it."""
    found, present = _found(request, lab)
    editor = _Editor(lab, present.platform, len(present.on_demand_rules), found, present)
    return page(
        request,
        "details.html",
        tab=_TAB,
        name=found.display_name,
        id=found.id,
        facts=[("Platform", texts.KINDS[present.platform]), ("Connection type", "Microsoft Tunnel")],
        form=Form(editor.subject.groups, texts.shown(present)),
        advice=judge_profile(present),
        saved="saved" in request.query_params,
    )


@signed_in
async def choose(request: Request, _lab: Lab) -> Response:
    """Choose platform and profile type of a new one."""
    return choice_page(request, _WHAT, _ALL, texts.KINDS, label="Platform and profile", text=_CHOICE)


@signed_in
async def new(request: Request, lab: Lab) -> Response:
    """Create one."""
    if (kind := request.path_params["kind"]) not in texts.KINDS:
        return go_to(f"{_ALL}/new")
    return await _answer(request, _Editor(lab, Platform(kind), await _rules(request, 0)))


@signed_in
async def edit(request: Request, lab: Lab) -> Response:
    """Change one."""
    found, present = _found(request, lab)
    rules = await _rules(request, len(present.on_demand_rules))
    return await _answer(request, _Editor(lab, present.platform, rules, found, present))


async def _rules(request: Request, present: int) -> int:
    """Return how many on-demand rules the form has."""
    if request.method == "GET":
        return present
    return on_demand_form.count_of(render.field(await request.form(), _RULES))


async def _answer(request: Request, editor: _Editor) -> Response:
    form = await request.form()
    values = read(form, editor.subject.groups)
    match render.field(form, "decision"):
        case on_demand_form.ADD:
            more = editor.with_rule()
            return form_page(request, more.subject, read(form, more.subject.groups))
        case "import":
            return await _imported(request, editor, values)
        case "export":
            return attachment("proxy-exclusions.csv", write_csv(lines(values[texts.EXCLUSIONS])), "text/csv")
    return await answer(request, editor.lab, editor.subject, editor.judged, editor.store)


async def _imported(request: Request, editor: _Editor, values: Values) -> Response:
    """Show the form with the entries of a file added to its exclusion list, if all of them can be used."""
    given = (await request.form()).get(texts.EXCLUSIONS_FILE)
    content = await given.read() if isinstance(given, UploadFile) else b""
    try:
        entries = read_csv(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, csv.Error):
        entries = ()
    problems: Problems = {texts.EXCLUSIONS_FILE: [(_NO_ENTRIES,)]} if not entries else {}
    for problem in problems_of(judge_exclusions(entries)).values():
        problems[texts.EXCLUSIONS_FILE] = problem
    if problems:
        return form_page(request, editor.subject, values, problems)
    together = dict.fromkeys([*lines(values[texts.EXCLUSIONS]), *entries])
    joined = {**values, texts.EXCLUSIONS: "\n".join(together)}
    return form_page(request, editor.subject, joined, notice=f"{len(entries)} entries imported.")


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Delete one, after a question."""
    found, _present = _found(request, lab)
    if request.method == "GET":
        return delete_page(request, _WHAT, _ALL, found)
    PROFILES.remove(lab, found)
    return go_to(_ALL)


_FORM: Final = ["GET", "POST"]
ROUTES: Final = [
    Route(_ALL, profiles),
    Route(f"{_ALL}/new", choose),
    Route(f"{_ALL}/new/{{kind}}", new, methods=_FORM),
    Route(f"{_ALL}/{{id}}", profile),
    Route(f"{_ALL}/{{id}}/edit", edit, methods=_FORM),
    Route(f"{_ALL}/{{id}}/delete", delete, methods=_FORM),
]
