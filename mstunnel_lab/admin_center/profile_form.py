"""The form of a VPN profile, between what is typed and what mst-admin declares and judges."""

from collections.abc import Mapping, Sequence
from typing import Final

from mst_admin.objects.profile import AppObject, ProfileObject, ProfilePlatform
from mstunnel_lab.admin_center import on_demand_form
from mstunnel_lab.admin_center.assignment_fields import ASSIGNMENT_FIELDS, assigned, shown_assignment
from mstunnel_lab.admin_center.forms import Field, Group, Values, fields_of, lines, number, pairs
from mstunnel_lab.records import SiteRecord

KINDS: Final = {
    ProfilePlatform.ANDROID_DEVICE_OWNER.value: "Android Enterprise: corporate-owned work profile (VPN)",
    ProfilePlatform.ANDROID_WORK_PROFILE.value: "Android Enterprise: personally-owned work profile (VPN)",
    ProfilePlatform.IOS.value: "iOS/iPadOS (VPN)",
}
"""Platform and profile type, as the admin center of Intune calls them."""
FIELD_OF: Final = {"proxy": "proxy_address"}
"""Where a finding about the proxy as a whole is shown."""
NO_SITE: Final = "-"
"""Stands for a site where none was chosen."""
EXCLUSIONS: Final = "proxy_exclusions"
EXCLUSIONS_FILE: Final = "proxy_exclusions_file"
_PROXY: Final = ("proxy_pac_url", "proxy_address", "proxy_port")
_LINES: Final = (
    "lockdown_exclusions",
    "safari_domains",
    "associated_domains",
    "excluded_domains",
    EXCLUSIONS,
)
_CHECKS: Final = ("per_app", "always_on", "lockdown", "block_override")

_BASICS: Final = Group(
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
_ANDROID_APPS: Final = Group("Per-app VPN", (_APPS,))
_IOS_APPS: Final = Group(
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
_ALWAYS_ON: Final = Group(
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
_ANDROID_PROXY: Final = Group("Proxy", _PROXY_FIELDS)
_EXCLUSIONS: Final = Group(
    "Proxy exclusions",
    (
        Field(
            EXCLUSIONS,
            "Proxy exclusion list",
            "lines",
            hint="One per line: sub.contoso.com, *.contoso.com or an IP address. Only with one direct proxy.",
        ),
        Field(
            EXCLUSIONS_FILE,
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
    "lines",
    hint="For Microsoft Defender for Endpoint, name=value, one per line: vpn, antiphishing and "
    "defendertoggle, each 1 (default) or 0. defendertoggle=0 leaves the tunnel only.",
)
_IOS_SETTINGS: Final = Field(
    "custom_settings",
    "Custom settings",
    "lines",
    hint="For Microsoft Defender for Endpoint, name=value, one per line: TunnelOnly, WebProtection and "
    "AutoOnboard, each True or False. TunnelOnly=True switches all other functions off.",
)


def groups(platform: ProfilePlatform, sites: Sequence[SiteRecord], rules: int) -> tuple[Group, ...]:
    """Return the fields for a platform, with the sites to choose from and so many on-demand rules."""
    base = Group(
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
    assignments = Group("Assignments", ASSIGNMENT_FIELDS)
    if platform is ProfilePlatform.IOS:
        own = (_IOS_APPS, *on_demand_form.groups(rules), Group("Proxy", _PROXY_FIELDS))
        return (_BASICS, base, *own, Group("Custom settings", (_IOS_SETTINGS,)), assignments)
    own = (_ANDROID_APPS, _ALWAYS_ON, _ANDROID_PROXY, _EXCLUSIONS)
    return (_BASICS, base, *own, Group("Custom settings", (_ANDROID_SETTINGS,)), assignments)


def new(platform: ProfilePlatform, sites: Sequence[SiteRecord]) -> Values:
    """Return what the form of a new profile begins with."""
    only = sites[0].id if len(sites) == 1 else ""
    return dict.fromkeys((item.name for item in fields_of(groups(platform, sites, 0))), "") | {"site": only}


def declared(
    platform: ProfilePlatform, values: Values, rules: int, known: Mapping[str, AppObject]
) -> ProfileObject:
    """Return what was typed as an object to judge; raises `pydantic.ValidationError`.

    `known` are the apps that the profile has, by their ids: the form does not show all of them.
    """
    given: dict[str, object] = {name: values[name] for name in ("name", "description", "connection_name")}
    given |= {name: bool(values[name]) for name in _CHECKS if name in values}
    given |= {name: lines(values[name]) for name in _LINES if name in values}
    given |= {"platform": platform, "site": values["site"] or NO_SITE}
    given["apps"] = [_app(name, title, known) for name, title in pairs(values["apps"]).items()]
    given["custom_settings"] = pairs(values["custom_settings"])
    given["proxy"] = _proxy(values)
    given["on_demand_rules"] = on_demand_form.declared(values, rules)
    return ProfileObject.model_validate(given | assigned(values))


def _app(name: str, title: str, known: Mapping[str, AppObject]) -> dict[str, object]:
    return {**(known[name].model_dump() if name in known else {}), "id": name, "name": title or name}


def _proxy(values: Values) -> dict[str, object] | None:
    if not any(values[name] for name in _PROXY):
        return None
    return {
        "pac_url": values["proxy_pac_url"] or None,
        "address": values["proxy_address"] or None,
        "port": number(values["proxy_port"]),
    }


def shown(found: ProfileObject) -> Values:
    """Return a profile as it would be typed."""
    proxy = found.proxy
    return {
        "name": found.name,
        "description": found.description,
        "connection_name": found.connection_name,
        "site": found.site,
        "apps": "\n".join(f"{app.id}={app.name}" for app in found.apps),
        "custom_settings": "\n".join(f"{name}={value}" for name, value in found.custom_settings.items()),
        "proxy_pac_url": (proxy and proxy.pac_url) or "",
        "proxy_address": (proxy and proxy.address) or "",
        "proxy_port": str((proxy and proxy.port) or ""),
        EXCLUSIONS_FILE: "",
        **{name: "yes" if getattr(found, name) else "" for name in _CHECKS},
        **{name: "\n".join(getattr(found, name)) for name in _LINES},
        **on_demand_form.shown(found.on_demand_rules),
        **shown_assignment(found),
    }
