"""Admin center: VPN profiles for Microsoft Tunnel, with the on-demand rules of iOS."""

import csv
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from mst_admin.objects import profile_wire
from mst_admin.objects.parts import targets
from mst_admin.objects.profile import ProfileObject, ProfilePlatform
from mst_admin.objects.profile_rules import judge_profile
from mst_admin.objects.proxy_exclusions import judge_exclusions, read_csv, write_csv
from mstunnel_lab.admin_center import forms, render
from mstunnel_lab.admin_center.sections import AdminSection, Column, ObjectForm, RefusedError
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.graph.profiles import PROFILES
from mstunnel_lab.records import SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment

KINDS: Final = {
    ProfilePlatform.ANDROID_DEVICE_OWNER.value: "Android Enterprise: corporate-owned work profile (VPN)",
    ProfilePlatform.ANDROID_WORK_PROFILE.value: "Android Enterprise: personally-owned work profile (VPN)",
    ProfilePlatform.IOS.value: "iOS/iPadOS (VPN)",
}
"""Platform and profile type, as the admin center of Intune calls them."""
_PLATFORMS: Final = {name: platform for platform, name in profile_wire.TYPES.items()}
_NO_SITE: Final = "-"
"""Stands for a site where none was chosen."""
_FILE: Final = "proxy_exclusions_file"
_COUNT: Final = "rules"
"""Name of the hidden field with the number of on-demand rules in the form."""
_MOST_RULES: Final = 100
_RULE: Final = forms.groups_of("rule")


class _ProfileForm(ObjectForm[DeviceConfiguration]):
    """The form of a VPN profile, with so many on-demand `rules`, by default those of the profile."""

    entities: Entities[Any] = PROFILES
    # Where a finding about the proxy as a whole is shown.
    field_of: ClassVar[Mapping[str, str]] = {"proxy": "proxy_address"}

    def __init__(
        self, lab: Lab, kind: str = "", found: DeviceConfiguration | None = None, rules: int | None = None
    ) -> None:
        super().__init__(lab, kind, found)
        self.present: ProfileObject | None = _declared(lab, found) if found else None
        self.rules = len(self.present.on_demand_rules) if self.present and rules is None else rules or 0
        self.hidden = {_COUNT: str(self.rules)}
        self.details = {"facts": [("Platform", KINDS[kind]), ("Connection type", "Microsoft Tunnel")]}
        sites = sorted(lab.store.each(SiteRecord), key=lambda item: item.display_name.casefold())
        own = forms.groups_of("profile", kind, site=((item.id, item.display_name) for item in sites))
        self._own = (*own, *forms.groups_of("assignments", kind))
        groups: list[forms.FieldGroup] = []
        for group in self._own:
            # The rules stand before the button that adds one.
            if any(decision == "add-rule" for decision, _ in group.actions):
                groups += (
                    _RULE[0].renamed(text("On-demand rule {number}", number=number), f"rule{number}_")
                    for number in range(1, self.rules + 1)
                )
            groups.append(group)
        self.groups = tuple(groups)

        if self.present is None:
            return
        values = forms.shown(self._own, self.present)
        for number, rule in enumerate(self.present.on_demand_rules, 1):
            values |= forms.shown(_RULE, rule, f"rule{number}_")
            if rule.action == "establish":
                values[f"rule{number}_action"] = "connect"
        self.begin = values | {"apps": "\n".join(f"{app.id}={app.name}" for app in self.present.apps)}
        self.advice = judge_profile(self.present)

    def declared(self, values: forms.Values) -> tuple[ProfileObject, tuple[Finding, ...]]:
        """Return what was typed as a profile, judged; what is known of an app and not shown stays."""
        known = {app.id: app.model_dump() for app in self.present.apps} if self.present else {}
        rules = (forms.typed(_RULE, values, f"rule{number}_") for number in range(1, self.rules + 1))
        given = forms.typed(self._own, values) | {
            "platform": ProfilePlatform(self.kind),
            "site": values["site"] or _NO_SITE,
            "apps": [
                {**known.get(name, {}), "id": name, "name": title or name}
                for name, title in forms.pairs(values["apps"]).items()
            ],
            "on_demand_rules": [rule for rule in rules if "action" in rule],
        }
        declared = ProfileObject.model_validate(given)
        site = self.lab.store.get(SiteRecord, declared.site)
        used = self.lab.store.get(TunnelConfiguration, site.configuration_id) if site else None
        findings = judge_profile(declared, split_rules=bool(used.includes or used.excludes) if used else None)
        if site is None:
            problems = forms.problems_of(findings)
            problems.setdefault("site", []).append(("There is no such site. Choose one from the list.",))
            raise RefusedError(problems)
        return declared, findings

    def bodies(self, declared: ProfileObject) -> tuple[JsonObject, list[JsonObject]]:
        site = next(item for item in self.lab.store.each(SiteRecord) if item.id == declared.site)
        used = self.lab.store.get(TunnelConfiguration, site.configuration_id)
        address = profile_wire.server_address(site.public_address or "", (used and used.listen_port) or 443)
        body = profile_wire.profile_body(declared, site.id, address) | {"customKeyValueData": []}
        return body, [{"target": item} for item in targets(declared)]

    def sent(self, form: FormData) -> "_ProfileForm":
        return self._with_rules(whole_number(render.field(form, _COUNT)) or 0)

    def _with_rules(self, count: int) -> "_ProfileForm":
        return _ProfileForm(self.lab, self.kind, self.found, min(count, _MOST_RULES))

    async def decide(self, request: Request, decision: str, values: forms.Values) -> Response | None:
        """Add an on-demand rule to the form; import or export its proxy exclusions."""
        listed = forms.lines(values.get("proxy_exclusions", ""))
        if decision == "add-rule":
            more = self._with_rules(self.rules + 1)
            return SECTION.form_page(request, more, forms.read(await request.form(), more.groups))
        if decision == "export":
            return render.attachment("proxy-exclusions.csv", write_csv(listed), "text/csv")
        if decision != "import":
            return None

        given = (await request.form()).get(_FILE)
        content = await given.read() if isinstance(given, UploadFile) else b""
        try:
            entries = read_csv(content.decode("utf-8-sig"))
        except (UnicodeDecodeError, csv.Error):
            entries = ()
        problems: forms.Problems = (
            {} if entries else {_FILE: [("This is not a CSV file with entries. Choose another file.",)]}
        )
        for problem in forms.problems_of(judge_exclusions(entries)).values():
            problems[_FILE] = problem
        if problems:
            return SECTION.form_page(request, self, values, problems)
        joined = {**values, "proxy_exclusions": "\n".join(dict.fromkeys([*listed, *entries]))}
        notice = text("{count} entries imported.", count=len(entries))
        return SECTION.form_page(request, self, joined, notice=notice)


def tunnel_profiles(lab: Lab) -> list[DeviceConfiguration]:
    """Return the VPN profiles of Microsoft Tunnel."""
    return [item for item in lab.store.each(DeviceConfiguration) if profile_wire.is_tunnel_profile(item)]


def declared_profiles(lab: Lab) -> list[ProfileObject]:
    """Return the same as mst-admin declares them."""
    return [_declared(lab, item) for item in tunnel_profiles(lab)]


def _declared(lab: Lab, found: DeviceConfiguration) -> ProfileObject:
    return profile_wire.profile_object(found, lab.store.each(DeviceConfigurationAssignment, parent=found.id))


def _open(lab: Lab, identifier: str) -> _ProfileForm:
    found = PROFILES.find(lab, identifier)
    if not profile_wire.is_tunnel_profile(found):
        raise not_found(PROFILES.name, found.id)
    return _ProfileForm(lab, _PLATFORMS[found.odata_type], found)


SECTION: Final = AdminSection(
    tab="profiles",
    title="Configuration profiles",
    what="VPN profile",
    kinds=KINDS,
    label="Platform and profile",
    text="Microsoft Tunnel does not support Android Enterprise dedicated devices.",
    columns=lambda _lab: (
        Column[DeviceConfiguration]("name", "Name", lambda item: item.display_name),
        Column[DeviceConfiguration](
            "platform", "Platform", lambda item: KINDS[_PLATFORMS[item.odata_type]], "word"
        ),
        Column[DeviceConfiguration](
            "connection",
            "Connection name",
            lambda item: str((item.model_extra or {}).get("connectionName") or ""),
        ),
    ),
    each=tunnel_profiles,
    new=_ProfileForm,
    open=_open,
)
