"""Rules for VPN profiles, their on-demand rules and custom settings, and for trusted roots.

Source: docs/reference/mst-admin.md.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mst_admin.objects.parts import judge_assignment
from mst_admin.objects.profile import (
    CONNECT,
    GLOBAL_SECURE_ACCESS,
    VPN_KEY,
    ConnectionType,
    ProfileObject,
    ProfilePlatform,
    ProxyObject,
    RuleObject,
    TrustedRootObject,
    as_documented,
    turns_on_global_secure_access,
)
from mst_admin.objects.profile_wire import is_root_name
from mst_admin.objects.proxy_exclusions import judge_exclusions
from mstunnel_setup.answers.address import is_host, is_web_address
from mstunnel_setup.answers.finding import Finding, declare_finding, finding
from mstunnel_setup.base.text import text

RETIRED_CLIENT = declare_finding(
    "connection_type",
    "retired-client",
    "on Android the connection type {connection} is the retired stand-alone client",
    "Create a new profile without connection_type; the type of a profile cannot be changed.",
    fatal=False,
)
RULE_KEY_WITHOUT_EFFECT = declare_finding(
    "on_demand_rules",
    "rule-key-without-effect",
    "on-demand rule {number} uses {keys} without {needed}",
    "Remove this, or write {instead}.",
)
KEY_WRITTEN_VPN = declare_finding(
    "custom_settings",
    "key-written-vpn",
    "{key}.VPN is the title in the admin center; the key is written vpn",
    "Write vpn.",
    fatal=False,
)
EU_DATA_BOUNDARY = declare_finding(
    "custom_settings",
    "eu-data-boundary",
    "eu_data_boundary is set, but Defender's threat protection is on, which does not comply with it",
    "Add the custom setting {setting}.",
)


PACKAGE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
"""The form of a package or bundle id."""
_MOST: Final = 500
_ANDROID_ONLY: Final = ("always_on", "lockdown", "lockdown_exclusions", "proxy_exclusions")
_IOS_ONLY: Final = (
    "per_app",
    "on_demand_rules",
    "block_override",
    "safari_domains",
    "associated_domains",
    "excluded_domains",
)


def judge_profile(profile: ProfileObject, *, split_rules: bool | None = None) -> tuple[Finding, ...]:
    """Return all findings about a profile.

    `split_rules` says if the site's server configuration has split tunnelling rules; None means unknown.
    """
    return (
        *_any_platform(profile),
        *(_ios if profile.is_ios else _android)(profile, split_rules=split_rules),
        *judge_settings(profile),
        *judge_assignment(profile, "profile"),
    )


def judge_root(declared: TrustedRootObject) -> Iterator[Finding]:
    """Return all findings about a trusted root; one that only a policy refers to needs no assignment."""
    if is_root_name(declared.name):
        yield finding(
            "name",
            "trusted-root-name",
            "{name} is the name of a trusted root that goes with a VPN profile",
            hint="Write another name, or set trusted_root in the profile.",
            name=declared.name,
        )
    yield from (item for item in judge_assignment(declared, text("trusted root")) if item.fatal)


def judge_proxy(proxy: ProxyObject) -> Iterator[Finding]:
    """Return all findings about a proxy."""
    if (proxy.pac_url is None) == (proxy.address is None):
        yield finding(
            "proxy",
            "proxy-incomplete",
            "proxy needs either address and port, or pac_url",
            hint="Set one of the two.",
        )
    elif proxy.pac_url is not None and not is_web_address(proxy.pac_url):
        yield finding(
            "proxy",
            "pac-url-invalid",
            "proxy.pac_url is “{url}”: it is not an http or https address",
            hint="Write the full address of the script.",
            url=proxy.pac_url[:80],
        )
    elif proxy.address is not None and not is_host(proxy.address):
        yield finding(
            "proxy",
            "proxy-address-invalid",
            "proxy.address is “{address}”: it is neither a host name nor an IP address",
            hint="Write only the host; the port goes into proxy.port.",
            address=proxy.address[:80],
        )
    elif proxy.address is not None and (proxy.port is None or proxy.port not in range(1, 65536)):
        yield finding(
            "proxy", "proxy-port-invalid", "proxy.port is missing or not a port", hint="Write 1 to 65535."
        )


def _any_platform(profile: ProfileObject) -> Iterator[Finding]:
    for key in _ANDROID_ONLY if profile.is_ios else _IOS_ONLY:
        if getattr(profile, key):
            other = "Android" if profile.is_ios else "iOS"
            yield finding(
                key,
                "key-of-another-platform",
                "{key} is for {other} only",
                hint="Remove it.",
                key=key,
                other=other,
            )
    if profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield RETIRED_CLIENT(connection="microsoft-tunnel")
    yield from judge_proxy(profile.proxy) if profile.proxy else ()
    exclusions = () if profile.is_ios else profile.proxy_exclusions
    yield from judge_exclusions(exclusions)
    if exclusions and (profile.proxy is None or profile.proxy.address is None):
        yield finding(
            "proxy_exclusions",
            "exclusions-without-direct-proxy",
            "proxy_exclusions take effect only with one direct proxy",
            hint="Give proxy.address and proxy.port, or remove them.",
        )
    if len(profile.apps) > _MOST:
        yield finding(
            "apps", "apps-too-many", "there are more than {most} apps", hint="Remove some.", most=_MOST
        )
    for name in (*(app.id for app in profile.apps), *profile.lockdown_exclusions):
        if not PACKAGE.fullmatch(name):
            key = "apps" if name in {app.id for app in profile.apps} else "lockdown_exclusions"
            yield finding(
                key,
                "app-id-invalid",
                "“{name}” is not a package name or bundle ID",
                hint="Write one such as com.microsoft.emmx.",
                name=name[:80],
            )


def _android(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    if profile.lockdown and not profile.always_on:
        yield finding(
            "lockdown",
            "lockdown-needs-always-on",
            "lockdown requires always-on VPN",
            hint="Add always_on: true.",
        )
    if profile.lockdown_exclusions and not profile.lockdown:
        yield finding(
            "lockdown_exclusions",
            "lockdown-exclusions-alone",
            "lockdown_exclusions take effect only with lockdown",
            hint="Add lockdown: true, or remove them.",
        )
    if profile.apps and not profile.always_on:
        yield finding(
            "apps",
            "per-app-starts-by-hand",
            "on Android, starting an app does not start the VPN",
            hint="Add always_on: true, or ask users to connect first.",
            fatal=False,
        )
    if profile.proxy is not None:
        yield finding(
            "proxy",
            "proxy-needs-android-10",
            "devices with a version of Android before 10 do not use the proxy",
            hint="Exclude them with a group or filter.",
            fatal=False,
        )
    if profile.always_on and profile.platform is ProfilePlatform.ANDROID_DEVICE_OWNER:
        yield finding(
            "always_on",
            "always-on-needs-restrictions",
            "corporate-owned devices also need always-on VPN in a device restrictions profile",
            hint="Set it there, under Connectivity.",
            fatal=False,
        )
    # A full tunnel assigns IPv6 addresses; a client that requests none sends IPv6 outside the tunnel.
    if split_rules is False and not profile.lockdown:
        yield finding(
            "lockdown",
            "ipv6-beside-tunnel",
            "a client without an IPv6 address sends the device's IPv6 traffic outside the full tunnel",
            hint=(
                "Add always_on: true and lockdown: true: Android then blocks what the tunnel does not carry."
            ),
            fatal=False,
        )


def _ios(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    yield from judge_on_demand(profile.on_demand_rules)
    if profile.per_app and profile.on_demand_rules:
        yield finding(
            "on_demand_rules",
            "per-app-and-on-demand",
            "per-app VPN and on-demand rules together start the VPN in two ways",
            hint="Choose one of them.",
            fatal=False,
        )
    if profile.per_app and split_rules is not False:
        yield finding(
            "per_app",
            "per-app-ignores-split-rules",
            "with per-app VPN, iOS ignores the split tunnelling rules that the site {has}",
            hint="Expect all traffic of the apps in the tunnel, or remove the rules.",
            fatal=False,
            has="has" if split_rules else text("may have"),
        )
    if not profile.per_app and (
        profile.safari_domains or profile.associated_domains or profile.excluded_domains
    ):
        yield finding(
            "per_app",
            "domains-without-per-app",
            "domains for Safari, associated and excluded domains take effect only with per-app VPN",
            hint="Add per_app: true, or remove them.",
        )


def judge_on_demand(rules: Sequence[RuleObject]) -> Iterator[Finding]:
    """Return findings about the on-demand rules, in their order."""
    if len(rules) > _MOST:
        yield finding(
            "on_demand_rules",
            "rules-too-many",
            "there are more than {most} on-demand rules",
            hint="Merge some.",
            most=_MOST,
        )
    for number, rule in enumerate(rules, 1):
        evaluates = rule.action == "evaluate"
        if evaluates and not (rule.domain_action and rule.domains):
            yield finding(
                "on_demand_rules",
                "rule-incomplete",
                "on-demand rule {number}: evaluate needs domain_action and domains",
                hint="Add them, or choose another action.",
                number=number,
            )
        if not evaluates and (rule.domain_action or rule.domains):
            yield RULE_KEY_WITHOUT_EFFECT(
                number=number,
                keys=text("domain_action and domains"),
                needed="evaluate",
                instead="action: evaluate",
            )
        if rule.probe_required_url and not (evaluates and rule.domain_action == "connect-if-needed"):
            yield RULE_KEY_WITHOUT_EFFECT(
                number=number,
                keys="probe_required_url",
                needed=text("evaluate and connect-if-needed"),
                instead="probe_url",
            )
        for name in ("probe_url", "probe_required_url"):
            url = getattr(rule, name)
            if url and not is_web_address(url):
                yield finding(
                    "on_demand_rules",
                    "rule-url-invalid",
                    "on-demand rule {number}: {key} is not an http or https address",
                    hint="Write a full address.",
                    number=number,
                    key=name,
                )


_TRUTH: Final = ("true", "false")
_SWITCH: Final = ("0", "1")
_LEVEL: Final = ("0", "1", "2", "3")
_WORDS: Final = {_TRUTH: text("True or False"), _SWITCH: text("1 or 0"), _LEVEL: text("0, 1, 2 or 3")}
_ANDROID_SETTINGS: Final = {VPN_KEY: _SWITCH, "antiphishing": _SWITCH, "defendertoggle": _SWITCH}
_IOS_SETTINGS: Final = {
    "TunnelOnly": _TRUTH,
    "WebProtection": _TRUTH,
    "AutoOnboard": _TRUTH,
    GLOBAL_SECURE_ACCESS: _LEVEL,
    "EnableGSAPrivateChannel": _LEVEL,
}
"""The documented custom settings, each with its values in lower case."""
# Graph accepts 25 entries, one of which selects Defender as the tunnel's client.
_MOST_SETTINGS: Final = 24


def judge_settings(profile: ProfileObject) -> Iterator[Finding]:
    """Return all findings about the custom settings of a profile."""
    known = _IOS_SETTINGS if profile.is_ios else _ANDROID_SETTINGS
    if not profile.is_ios and (settings := as_documented(profile.custom_settings)) != profile.custom_settings:
        yield KEY_WRITTEN_VPN(key="custom_settings")
        profile = profile.model_copy(update={"custom_settings": settings})
    if len(profile.custom_settings) > _MOST_SETTINGS:
        yield finding(
            "custom_settings",
            "custom-settings-too-many",
            "there are more than {most} custom settings",
            hint="Remove some.",
            most=_MOST_SETTINGS,
        )
    for name, value in profile.custom_settings.items():
        if name in known:
            if value.lower() not in known[name]:
                yield finding(
                    "custom_settings",
                    "custom-setting-value",
                    "custom_settings.{name} is “{value}”: it must be {allowed}",
                    hint="Write {allowed}.",
                    name=name,
                    value=value[:80],
                    allowed=_WORDS[known[name]],
                )
        elif spelled := next((item for item in known if item.lower() == name.lower()), None):
            yield finding(
                "custom_settings",
                "custom-setting-spelling",
                "custom_settings.{name} is spelled differently: the key is {spelled}",
                hint="Write {spelled}.",
                name=name,
                spelled=spelled,
            )
        else:
            yield finding(
                "custom_settings",
                "custom-setting-unknown",
                "custom_settings.{name} is not documented for this platform",
                hint="Check the name: documented are {known}. Others are passed on unchanged.",
                fatal=False,
                name=name,
                known=", ".join(known),
            )
    yield from _ios_settings(profile) if profile.is_ios else _android_settings(profile)


def judge_switches(antiphishing: str, vpn: str, key: str) -> Iterator[Finding]:
    """Return a finding if one switch is on and the other off, which a work profile treats as both off.

    `key` is the declaration key of both.
    """
    if {antiphishing, vpn} == {"0", "1"}:
        yield finding(
            key,
            "work-profile-switches",
            (
                "antiphishing is {antiphishing} and vpn is {vpn}: in a work profile, different "
                "values switch both off"
            ),
            hint="Set both to the same value, or platform to android-device-owner.",
            antiphishing=antiphishing,
            vpn=vpn,
        )


def _android_settings(profile: ProfileObject) -> Iterator[Finding]:
    off = profile.custom("defendertoggle", "1") == "0"
    useless = [key for key in ("vpn", "antiphishing") if profile.custom_settings.get(key) == "1"]
    if profile.platform is ProfilePlatform.ANDROID_WORK_PROFILE and not off:
        antiphishing, vpn = (profile.custom(key, "1") for key in ("antiphishing", "vpn"))
        yield from judge_switches(antiphishing, vpn, "custom_settings")
    if off and useless:
        yield finding(
            "custom_settings",
            "custom-setting-without-effect",
            "custom_settings.defendertoggle: 0 switches Defender off, so {names} have no effect",
            hint="Remove them, or leave defendertoggle at 1.",
            fatal=False,
            names=" and ".join(useless),
        )
    if profile.eu_data_boundary and not off:
        yield EU_DATA_BOUNDARY(setting="defendertoggle: 0")
    if profile.apps and not off:
        yield finding(
            "apps",
            "per-app-limits-web-protection",
            "web protection covers only the apps in the list of the per-app VPN",
            hint="Add all browsers of the work profile to apps.",
            fatal=False,
        )


def _ios_settings(profile: ProfileObject) -> Iterator[Finding]:
    onboards = _is(profile, "AutoOnboard", "False")
    tunnel_only = _is(profile, "TunnelOnly", "False")
    if onboards and not _is(profile, "WebProtection", "True"):
        yield finding(
            "custom_settings",
            "auto-onboard-needs-web-protection",
            "custom_settings.AutoOnboard takes effect only with WebProtection, which is off",
            hint="Set WebProtection to True, or remove AutoOnboard.",
        )
    if onboards and not any(rule.action in CONNECT for rule in profile.on_demand_rules):
        yield finding(
            "custom_settings",
            "auto-onboard-needs-connect-rule",
            "custom_settings.AutoOnboard needs an on-demand rule that connects",
            hint="Add on_demand_rules with `- action: connect`.",
        )
    if tunnel_only and (onboards or _is(profile, "WebProtection", "False")):
        yield finding(
            "custom_settings",
            "tunnel-only-conflict",
            "custom_settings.TunnelOnly switches Defender off, so WebProtection and AutoOnboard cannot be on",
            hint="Remove them, or TunnelOnly.",
        )
    protects = _is(profile, "WebProtection", "True") and not tunnel_only
    stays_up = profile.per_app or any(rule.connects_always for rule in profile.on_demand_rules)
    if protects and not stays_up:
        yield finding(
            "on_demand_rules",
            "disconnect-on-sleep",
            "with web protection on, tunnel and protection both end when the device sleeps",
            hint="Add an on-demand rule `- action: connect`, or set TunnelOnly to True.",
            fatal=False,
        )
    if turns_on_global_secure_access(profile):
        yield finding(
            "custom_settings",
            "global-secure-access-in-tunnel",
            (
                "custom_settings.{key} turns on Global Secure Access, which does not work together with "
                "Microsoft Tunnel on one device"
            ),
            hint="Set it to 0 or remove it; Global Secure Access needs a profile and groups of its own.",
            fatal=False,
            key=GLOBAL_SECURE_ACCESS,
        )
    if profile.eu_data_boundary and not tunnel_only:
        yield EU_DATA_BOUNDARY(setting="TunnelOnly: True")


def _is(profile: ProfileObject, key: str, default: str) -> bool:
    return profile.custom(key, default) == "true"
