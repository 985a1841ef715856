"""Admin center: VPN profiles for Microsoft Tunnel."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from mst_admin.objects.parts import targets
from mst_admin.objects.profile import ProfileObject, ProfilePlatform
from mst_admin.objects.profile_rules import judge_profile
from mst_admin.objects.profile_wire import (
    TYPES,
    is_tunnel_profile,
    profile_body,
    profile_object,
    server_address,
)
from mst_admin.objects.proxy_exclusions import judge_exclusions, read_csv, write_csv
from mstunnel_lab.admin_center import on_demand_form, render
from mstunnel_lab.admin_center import profile_form as texts
from mstunnel_lab.admin_center.changes import RefusedError, Subject, Wish, form_page, stored
from mstunnel_lab.admin_center.forms import Problems, Values, lines, problems_of, read
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.render import attachment
from mstunnel_lab.admin_center.section import Editor, Section
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.intune import PROFILES
from mstunnel_lab.records import SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelConfiguration

_ALL: Final = "/admin/profiles"
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
class _Editor(Editor):
    """The form of a profile: a new one for a platform, or one that is there (`found`, as `present`)."""

    platform: ProfilePlatform
    rules: int = 0
    found: DeviceConfiguration | None = None
    present: ProfileObject | None = None

    @property
    def sites(self) -> Sequence[SiteRecord]:
        """The sites there are to choose from."""
        return sorted(self.lab.store.each(SiteRecord), key=lambda item: item.display_name.casefold())

    @property
    @override
    def subject(self) -> Subject:
        groups = texts.groups(self.platform, self.sites, self.rules)
        begin = texts.shown(self.present) if self.present else texts.new(self.platform, self.sites)
        hidden = {_RULES: str(self.rules)}
        return Subject(_WHAT, _ALL, groups, begin, self.found, f"new/{self.platform}", hidden, texts.FIELD_OF)

    @property
    @override
    def facts(self) -> Sequence[tuple[str, str]]:
        return [("Platform", texts.KINDS[self.platform]), ("Connection type", "Microsoft Tunnel")]

    @property
    @override
    def advice(self) -> tuple[Finding, ...]:
        return judge_profile(self.present) if self.present else ()

    @override
    def judged(self, values: Values) -> Wish:
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

    @override
    def store(self, wish: Wish) -> DeviceConfiguration:
        return stored(self.lab, PROFILES, wish, self.found)

    @override
    async def answer(self, request: Request) -> Response:
        form = await request.form()
        if request.method == "GET":
            return await super().answer(request)
        editor = replace(self, rules=on_demand_form.count_of(render.field(form, _RULES)))
        values = read(form, editor.subject.groups)
        match render.field(form, "decision"):
            case on_demand_form.ADD:
                more = replace(editor, rules=min(editor.rules + 1, on_demand_form.MOST_RULES)).subject
                return form_page(request, more, read(form, more.groups))
            case "import":
                return await _imported(request, editor, values)
            case "export":
                exclusions = write_csv(lines(values[texts.EXCLUSIONS]))
                return attachment("proxy-exclusions.csv", exclusions, "text/csv")
        return await Editor.answer(editor, request)


def _found(request: Request, lab: Lab) -> tuple[DeviceConfiguration, ProfileObject]:
    found = lab.required(DeviceConfiguration, request.path_params["id"])
    if not is_tunnel_profile(found):
        raise not_found("deviceConfiguration", found.id)
    return found, profile_object(found, lab.store.each(DeviceConfigurationAssignment, parent=found.id))


def _editor(request: Request, lab: Lab) -> _Editor:
    found, present = _found(request, lab)
    return _Editor(lab, present.platform, len(present.on_demand_rules), found, present)


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


SECTION: Final = Section(
    tab="profiles",
    title="Configuration profiles",
    what=_WHAT,
    kinds=texts.KINDS,
    label="Platform and profile",
    text=_CHOICE,
    columns=_COLUMNS,
    each=lambda lab: [item for item in lab.store.each(DeviceConfiguration) if is_tunnel_profile(item)],
    new=lambda lab, kind: _Editor(lab, ProfilePlatform(kind)),
    present=_editor,
    remove=lambda request, lab: PROFILES.remove(lab, _found(request, lab)[0]),
)
