"""Rules for VPN profiles. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Iterator
from typing import Final

from mst_admin import findings
from mst_admin.profiles.exclusions import judge_exclusions
from mst_admin.profiles.objects import ConnectionType, Platform, ProfileObject, ProxyObject, TrustedRootObject
from mst_admin.profiles.rules_assignment import judge_assignment
from mst_admin.profiles.rules_on_demand import judge_on_demand
from mst_admin.profiles.rules_settings import judge_settings
from mst_admin.profiles.wire import is_root_name
from mstunnel_setup.answers.address import is_host, is_web_address
from mstunnel_setup.answers.finding import Finding, finding

PACKAGE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
"""The form of a package or bundle id."""
_MOST: Final = 500
_PORTS: Final = range(1, 65536)
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
    """All findings about a profile.

    `split_rules` is whether the site's server configuration has split tunnelling rules, None: unknown.
    """
    return (
        *_platform(profile),
        *_connection(profile),
        *(judge_proxy(profile.proxy) if profile.proxy else ()),
        *_exclusions(profile),
        *_apps(profile),
        *(_ios(profile, split_rules=split_rules) if profile.is_ios else _android(profile)),
        *_ipv6(profile, split_rules=split_rules),
        *judge_settings(profile),
        *judge_assignment(profile, "profile"),
    )


def judge_root(declared: TrustedRootObject) -> Iterator[Finding]:
    """All findings about a trusted root: one that only a policy names needs no assignment."""
    if is_root_name(declared.name):
        yield finding(
            "name",
            "trusted-root-name",
            "{name} is the name of a trusted root that goes with a VPN profile",
            hint="Write another name, or set trusted_root in the profile.",
            name=declared.name,
        )
    yield from (item for item in judge_assignment(declared, "trusted root") if item.fatal)


def _platform(profile: ProfileObject) -> Iterator[Finding]:
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


def judge_proxy(proxy: ProxyObject) -> Iterator[Finding]:
    """All findings about a proxy."""
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
            hint="Write the host alone, the port in proxy.port.",
            address=proxy.address[:80],
        )
    elif proxy.address is not None and (proxy.port is None or proxy.port not in _PORTS):
        yield finding(
            "proxy",
            "proxy-port-invalid",
            "proxy.port is missing or not a port",
            hint="Write 1 to 65535.",
        )


def _exclusions(profile: ProfileObject) -> Iterator[Finding]:
    if not profile.proxy_exclusions or profile.is_ios:
        return
    yield from judge_exclusions(profile.proxy_exclusions)
    if profile.proxy is None or profile.proxy.address is None:
        yield finding(
            "proxy_exclusions",
            "exclusions-without-direct-proxy",
            "proxy_exclusions count only with one direct proxy",
            hint="Give proxy.address and proxy.port, or remove them.",
        )


def _connection(profile: ProfileObject) -> Iterator[Finding]:
    if profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield findings.RETIRED_CLIENT(connection="microsoft-tunnel")


def _android(profile: ProfileObject) -> Iterator[Finding]:
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
            "lockdown_exclusions count only with lockdown",
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
    if profile.always_on and profile.platform is Platform.ANDROID_DEVICE_OWNER:
        yield finding(
            "always_on",
            "always-on-needs-restrictions",
            "corporate-owned devices also need always-on VPN in a device restrictions profile",
            hint="Set it there, under Connectivity.",
            fatal=False,
        )


def _ipv6(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    """A full tunnel gives devices an IPv6 address; a client that asks for none leaves IPv6 to the network."""
    if split_rules is False and not profile.is_ios and not profile.lockdown:
        yield finding(
            "lockdown",
            "ipv6-beside-tunnel",
            "a client without an IPv6 address sends the device's IPv6 traffic outside the full tunnel",
            hint=(
                "Add always_on: true and lockdown: true: Android then blocks what the tunnel does not carry."
            ),
            fatal=False,
        )


def _apps(profile: ProfileObject) -> Iterator[Finding]:
    if len(profile.apps) > _MOST:
        yield finding(
            "apps",
            "apps-too-many",
            "there are more than {most} apps",
            hint="Remove some.",
            most=_MOST,
        )
    for name in (*(app.id for app in profile.apps), *profile.lockdown_exclusions):
        if not PACKAGE.fullmatch(name):
            key = "apps" if name in {app.id for app in profile.apps} else "lockdown_exclusions"
            yield finding(
                key,
                "app-id-invalid",
                "“{name}” is not the id of a package or bundle",
                hint="Write one such as com.microsoft.emmx.",
                name=name[:80],
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
            has="has" if split_rules else "may have",
        )
    if not profile.per_app and (
        profile.safari_domains or profile.associated_domains or profile.excluded_domains
    ):
        yield finding(
            "per_app",
            "domains-without-per-app",
            "domains for Safari, associated and excluded domains count only with per-app VPN",
            hint="Add per_app: true, or remove them.",
        )
