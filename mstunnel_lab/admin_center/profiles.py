"""Admin center: VPN profiles for Microsoft Tunnel, with the on-demand rules of iOS."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from starlette.datastructures import FormData, UploadFile
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
from mstunnel_lab.admin_center import render
from mstunnel_lab.admin_center.forms import (
    ASSIGNMENT_FIELDS,
    Field,
    FieldGroup,
    Problems,
    Values,
    empty,
    fields_of,
    lines,
    pairs,
    problems_of,
    read,
    renamed,
    shown,
    typed,
)
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.sections import AdminSection, ObjectForm, RefusedError, Submission
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.graph.profiles import PROFILES
from mstunnel_lab.records import SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelConfiguration

KINDS: Final = {
    ProfilePlatform.ANDROID_DEVICE_OWNER.value: "Android Enterprise: corporate-owned work profile (VPN)",
    ProfilePlatform.ANDROID_WORK_PROFILE.value: "Android Enterprise: personally-owned work profile (VPN)",
    ProfilePlatform.IOS.value: "iOS/iPadOS (VPN)",
}
"""Platform and profile type, as the admin center of Intune calls them."""
_PLATFORMS: Final = {name: platform for platform, name in TYPES.items()}
_NO_SITE: Final = "-"
"""Stands for a site where none was chosen."""
_NO_ENTRIES: Final = "This is not a CSV file with entries. Choose another file."
_FILE: Final = "proxy_exclusions_file"
_COUNT: Final = "rules"
"""Name of the hidden field with the number of on-demand rules in the form."""
_MOST_RULES: Final = 100

_BASICS: Final = FieldGroup(
    "Basics",
    (
        Field("name", "Name", hint="Name of the profile in the admin center.", required=True),
        Field("description", "Description (optional)", hint="What the profile is for."),
    ),
)
_APPS: Final = Field(
    "apps",
    "Apps",
    "lines",
    hint="Apps that use the tunnel, one per line, id and name: com.microsoft.emmx=Microsoft Edge.",
)
_ANDROID_APPS: Final = FieldGroup("Per-app VPN", (_APPS,))
_IOS_APPS: Final = FieldGroup(
    "Per-app VPN",
    (
        Field(
            "per_app",
            "Enable per-app VPN",
            "check",
            hint="iOS then ignores split tunneling rules. Each app needs the profile in its assignment, too.",
        ),
        _APPS,
        Field(
            "safari_domains",
            "Safari URLs",
            "lines",
            hint="Domains that start the VPN in Safari, one per line.",
        ),
        Field("associated_domains", "Associated domains", "lines", hint="One per line."),
        Field(
            "excluded_domains", "Excluded domains", "lines", hint="Domains that bypass the VPN, one per line."
        ),
    ),
)
_ALWAYS_ON: Final = FieldGroup(
    "Always-on VPN",
    (
        Field("always_on", "Always-on VPN", "check", hint="Connect and reconnect without the user."),
        Field("lockdown", "Block traffic without VPN", "check", hint="Lockdown; requires always-on VPN."),
        Field(
            "lockdown_exclusions", "Apps that bypass the lockdown", "lines", hint="One package id per line."
        ),
    ),
)
_PROXY_FIELDS: Final = (
    Field(
        "proxy_pac_url",
        "Automatic configuration script",
        hint="Address of a PAC file. Use either it, or address and port.",
        key="proxy.pac_url",
    ),
    Field(
        "proxy_address", "Address", hint="Host name or IP address of one direct proxy.", key="proxy.address"
    ),
    Field("proxy_port", "Port number", "number", hint="Port of the direct proxy.", key="proxy.port"),
)
_ANDROID_PROXY: Final = FieldGroup("Proxy", _PROXY_FIELDS)
_EXCLUSIONS: Final = FieldGroup(
    "Proxy exclusions",
    (
        Field(
            "proxy_exclusions",
            "Proxy exclusion list",
            "lines",
            hint="One per line: sub.contoso.com, *.contoso.com or an IP address. Only with one direct proxy.",
        ),
        Field(
            _FILE,
            "File with proxy exclusions",
            "file",
            hint="CSV; its entries are added to the list.",
        ),
    ),
    (("import", "Import"), ("export", "Export")),
)
_ANDROID_SETTINGS: Final = Field(
    "custom_settings",
    "Custom settings",
    "pairs",
    hint="For Microsoft Defender for Endpoint, name=value, one per line: vpn, antiphishing and "
    "defendertoggle, each 1 (default) or 0. defendertoggle=0 leaves the tunnel only.",
)
_IOS_SETTINGS: Final = Field(
    "custom_settings",
    "Custom settings",
    "pairs",
    hint="For Microsoft Defender for Endpoint, name=value, one per line: TunnelOnly, WebProtection and "
    "AutoOnboard, each True or False. TunnelOnly=True switches all other functions off.",
)


_RULE: Final = (
    Field(
        "action",
        "I want to do the following",
        "choice",
        hint="A rule without an action is removed.",
        choices=(
            ("connect", "Connect VPN"),
            ("disconnect", "Disconnect VPN"),
            ("evaluate", "Evaluate each connection attempt"),
            ("ignore", "Ignore"),
        ),
    ),
    Field(
        "domain_action",
        "Choose whether to connect",
        "choice",
        hint="Only to evaluate each connection attempt.",
        choices=(("connect-if-needed", "Connect if needed"), ("never-connect", "Never connect")),
    ),
    Field(
        "domains",
        "When users try to access these domains",
        "lines",
        hint="Only to evaluate each connection attempt; one per line.",
    ),
    Field(
        "dns_servers",
        "Use the following DNS servers to resolve these domains",
        "lines",
        hint="One address per line.",
    ),
    Field(
        "probe_required_url",
        "When this URL is unreachable, force-connect the VPN",
        hint="Only for Connect if needed.",
    ),
    Field("ssids", "I want to restrict to: Specific SSIDs", "lines", hint="One per line."),
    Field(
        "search_domains",
        "I want to restrict to: Specific search domains",
        "lines",
        hint="One per line. Without SSIDs and search domains, the rule is for all domains.",
    ),
    Field(
        "interface",
        "Network interface",
        "choice",
        hint="Only over this kind of network.",
        choices=(("ethernet", "Ethernet"), ("wifi", "Wi-Fi"), ("cellular", "Cellular")),
    ),
    Field(
        "probe_url",
        "But only if this URL probe succeeds",
        hint="It must return HTTP 200 without redirection.",
    ),
)
"""As the pane "Add row" of the admin center of Intune has them."""


def _rules(count: int) -> tuple[FieldGroup, ...]:
    """Return one group of fields for each rule, in their order, and the button that adds one."""
    rules = (
        FieldGroup(
            text("On-demand rule {number}", number=number),
            tuple(renamed(item, f"rule{number}_{item.name}") for item in _RULE),
        )
        for number in range(1, count + 1)
    )
    override_field = Field(
        "block_override",
        "Block users from disabling automatic VPN",
        "check",
        hint="Users then cannot switch Connect On Demand off.",
    )
    return (
        *rules,
        FieldGroup("On-demand VPN rules", (override_field,), (("add-rule", "Add on-demand rule"),)),
    )


def groups(platform: ProfilePlatform, sites: Sequence[SiteRecord], rules: int) -> tuple[FieldGroup, ...]:
    """Return the fields for a platform, with the sites to choose from and so many on-demand rules."""
    base = FieldGroup(
        "Base VPN",
        (
            Field("connection_name", "Connection name", hint="The name that users see.", required=True),
            Field(
                "site",
                "Microsoft Tunnel site",
                "select",
                hint="Devices connect to its public address. The connection type is Microsoft Tunnel.",
                required=True,
                choices=tuple((item.id, item.display_name) for item in sites),
            ),
        ),
    )
    assignments = FieldGroup("Assignments", ASSIGNMENT_FIELDS)
    if platform is ProfilePlatform.IOS:
        own = (_IOS_APPS, *_rules(rules), FieldGroup("Proxy", _PROXY_FIELDS))
        return (_BASICS, base, *own, FieldGroup("Custom settings", (_IOS_SETTINGS,)), assignments)
    own = (_ANDROID_APPS, _ALWAYS_ON, _ANDROID_PROXY, _EXCLUSIONS)
    return (_BASICS, base, *own, FieldGroup("Custom settings", (_ANDROID_SETTINGS,)), assignments)


@dataclass(frozen=True)
class ProfileForm(ObjectForm[DeviceConfiguration]):
    """The form of a VPN profile, with so many on-demand `rules`."""

    entities: ClassVar[Entities[Any]] = PROFILES
    rules: int = 0

    # Where a finding about the proxy as a whole is shown.
    field_of: ClassVar[Mapping[str, str]] = {"proxy": "proxy_address"}

    @property
    def _sites(self) -> Sequence[SiteRecord]:
        return sorted(self.lab.store.each(SiteRecord), key=lambda item: item.display_name.casefold())

    @property
    @override
    def groups(self) -> tuple[FieldGroup, ...]:
        return groups(ProfilePlatform(self.kind), self._sites, self.rules)

    @property
    @override
    def hidden(self) -> Mapping[str, str]:
        return {_COUNT: str(self.rules)}

    @property
    @override
    def present(self) -> ProfileObject | None:
        return _declared(self.lab, self.found) if self.found else None

    @property
    @override
    def begin(self) -> Values:
        found = self.present
        if found is None:
            sites = self._sites
            return empty(self.groups) | {"site": sites[0].id if len(sites) == 1 else ""}
        values = shown(fields_of(groups(found.platform, (), 0)), found)
        for number, rule in enumerate(found.on_demand_rules, 1):
            values |= shown(_RULE, rule, f"rule{number}_")
            if rule.action == "establish":
                values[f"rule{number}_action"] = "connect"
        return values | {"apps": "\n".join(f"{app.id}={app.name}" for app in found.apps)}

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {"facts": [("Platform", KINDS[self.kind]), ("Connection type", "Microsoft Tunnel")]}

    @property
    @override
    def advice(self) -> tuple[Finding, ...]:
        return judge_profile(self.present) if self.present else ()

    @override
    def declared(self, values: Values) -> ProfileObject:
        """The form does not show all that is known of an app: the rest stays."""
        platform = ProfilePlatform(self.kind)
        known = {app.id: app.model_dump() for app in self.present.apps} if self.present else {}
        rules = (typed(_RULE, values, f"rule{number}_") for number in range(1, self.rules + 1))
        given = typed(fields_of(groups(platform, (), 0)), values) | {
            "platform": platform,
            "site": values["site"] or _NO_SITE,
            "apps": [
                {**known.get(name, {}), "id": name, "name": title or name}
                for name, title in pairs(values["apps"]).items()
            ],
            "on_demand_rules": [rule for rule in rules if "action" in rule],
        }
        return ProfileObject.model_validate(given)

    @override
    def judge(self, declared: ProfileObject) -> tuple[Finding, ...]:
        site = self.lab.store.get(SiteRecord, declared.site)
        used = self.lab.store.get(TunnelConfiguration, site.configuration_id) if site else None
        findings = judge_profile(declared, split_rules=bool(used.includes or used.excludes) if used else None)
        if site is None:
            problems = problems_of(findings)
            problems.setdefault("site", []).append(("There is no such site. Choose one from the list.",))
            raise RefusedError(problems)
        return findings

    @override
    def submission(self, declared: ProfileObject) -> Submission:
        site = self.lab.store.each(SiteRecord)
        chosen = next(item for item in site if item.id == declared.site)
        used = self.lab.store.get(TunnelConfiguration, chosen.configuration_id)
        address = server_address(chosen.public_address or "", (used and used.listen_port) or 443)
        body = profile_body(declared, chosen.id, address) | {"customKeyValueData": []}
        return Submission(body, [{"target": item} for item in targets(declared)])

    @override
    def sent(self, form: FormData) -> "ProfileForm":
        count = min(whole_number(render.field(form, _COUNT)) or 0, _MOST_RULES)
        return replace(self, rules=count)

    @override
    async def decide(self, request: Request, decision: str, values: Values) -> Response | None:
        match decision:
            case "add-rule":
                more = replace(self, rules=min(self.rules + 1, _MOST_RULES))
                return SECTION.form_page(request, more, read(await request.form(), more.groups))
            case "import":
                return await self._imported(request, values)
            case "export":
                exclusions = write_csv(lines(values["proxy_exclusions"]))
                return render.attachment("proxy-exclusions.csv", exclusions, "text/csv")
        return None

    async def _imported(self, request: Request, values: Values) -> Response:
        """Show the form with the entries of a file added to its list, if all of them can be used."""
        given = (await request.form()).get(_FILE)
        content = await given.read() if isinstance(given, UploadFile) else b""
        try:
            entries = read_csv(content.decode("utf-8-sig"))
        except (UnicodeDecodeError, csv.Error):
            entries = ()
        problems: Problems = {} if entries else {_FILE: [(_NO_ENTRIES,)]}
        for problem in problems_of(judge_exclusions(entries)).values():
            problems[_FILE] = problem
        if problems:
            return SECTION.form_page(request, self, values, problems)
        together = dict.fromkeys([*lines(values["proxy_exclusions"]), *entries])
        joined = {**values, "proxy_exclusions": "\n".join(together)}
        return SECTION.form_page(
            request, self, joined, notice=text("{count} entries imported.", count=len(entries))
        )


def tunnel_profiles(lab: Lab) -> list[DeviceConfiguration]:
    """Return the VPN profiles of Microsoft Tunnel."""
    return [item for item in lab.store.each(DeviceConfiguration) if is_tunnel_profile(item)]


def declared_profiles(lab: Lab) -> list[ProfileObject]:
    """Return the same as mst-admin declares them."""
    return [_declared(lab, item) for item in tunnel_profiles(lab)]


def _declared(lab: Lab, found: DeviceConfiguration) -> ProfileObject:
    return profile_object(found, lab.store.each(DeviceConfigurationAssignment, parent=found.id))


def _open(lab: Lab, identifier: str) -> ProfileForm:
    found = PROFILES.find(lab, identifier)
    if not is_tunnel_profile(found):
        raise not_found(PROFILES.name, found.id)
    declared = _declared(lab, found)
    return ProfileForm(lab, declared.platform, found, len(declared.on_demand_rules))


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
    new=ProfileForm,
    open=_open,
)
