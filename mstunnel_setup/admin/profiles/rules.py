"""Rules for VPN profiles. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Iterator
from typing import Final

from mstunnel_setup.admin.profiles.exclusions import judge_exclusions
from mstunnel_setup.admin.profiles.objects import ConnectionType, Platform, ProfileObject, ProxyObject
from mstunnel_setup.admin.profiles.rules_on_demand import judge_on_demand
from mstunnel_setup.admin.profiles.rules_settings import judge_settings
from mstunnel_setup.answers.address import is_host, is_web_address
from mstunnel_setup.answers.finding import Finding

_PACKAGE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
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
    """Everything there is to say about a profile.

    `split_rules` tells whether the site's server configuration has split tunnelling rules, None: unknown.
    """
    return (
        *_platform(profile),
        *_connection(profile),
        *(_proxy(profile.proxy) if profile.proxy else ()),
        *_exclusions(profile),
        *_apps(profile),
        *(_ios(profile, split_rules=split_rules) if profile.is_ios else _android(profile)),
        *_ipv6(profile, split_rules=split_rules),
        *judge_settings(profile),
        *_assignment(profile),
    )


def _platform(profile: ProfileObject) -> Iterator[Finding]:
    for key in _ANDROID_ONLY if profile.is_ios else _IOS_ONLY:
        if getattr(profile, key):
            other = "Android" if profile.is_ios else "iOS"
            yield Finding("key-of-another-platform", key, f"{key} is for {other} only", "Remove it.")


def _proxy(proxy: ProxyObject) -> Iterator[Finding]:
    if (proxy.pac_url is None) == (proxy.address is None):
        message = "proxy needs either address and port, or pac_url"
        yield Finding("proxy-incomplete", "proxy", message, "Set one of the two.")
    elif proxy.pac_url is not None and not is_web_address(proxy.pac_url):
        message = f"proxy.pac_url is “{proxy.pac_url[:80]}”: it is not an http or https address"
        yield Finding("pac-url-invalid", "proxy", message, "Write the full address of the script.")
    elif proxy.address is not None and not is_host(proxy.address):
        message = f"proxy.address is “{proxy.address[:80]}”: it is neither a host name nor an IP address"
        yield Finding(
            "proxy-address-invalid", "proxy", message, "Write the host alone, the port in proxy.port."
        )
    elif proxy.address is not None and (proxy.port is None or proxy.port not in _PORTS):
        yield Finding(
            "proxy-port-invalid", "proxy", "proxy.port is missing or not a port", "Write 1 to 65535."
        )


def _exclusions(profile: ProfileObject) -> Iterator[Finding]:
    if not profile.proxy_exclusions or profile.is_ios:
        return
    yield from judge_exclusions(profile.proxy_exclusions)
    if profile.proxy is None or profile.proxy.address is None:
        yield Finding(
            "exclusions-without-direct-proxy",
            "proxy_exclusions",
            "proxy_exclusions count only with one direct proxy",
            "Give proxy.address and proxy.port, or remove them.",
        )


def _connection(profile: ProfileObject) -> Iterator[Finding]:
    if profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield Finding(
            "retired-client",
            "connection_type",
            "on Android the connection type microsoft-tunnel is the retired stand-alone client",
            "Create a new profile without connection_type; the type of a profile cannot be changed.",
            fatal=False,
        )


def _android(profile: ProfileObject) -> Iterator[Finding]:
    yield from _lockdown(profile)
    if profile.apps and not profile.always_on:
        yield Finding(
            "per-app-starts-by-hand",
            "apps",
            "on Android, starting an app does not start the VPN",
            "Add always_on: true, or tell users to connect first.",
            fatal=False,
        )
    if profile.proxy is not None:
        yield Finding(
            "proxy-needs-android-10",
            "proxy",
            "devices with a version of Android before 10 do not use the proxy",
            "Exclude them with a group or filter.",
            fatal=False,
        )
    if profile.always_on and profile.platform is Platform.ANDROID_DEVICE_OWNER:
        yield Finding(
            "always-on-needs-restrictions",
            "always_on",
            "corporate-owned devices also need always-on VPN in a device restrictions profile",
            "Set it there, under Connectivity.",
            fatal=False,
        )


def _ipv6(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    """A full tunnel gives devices an IPv6 address; a client that asks for none leaves IPv6 to the network."""
    if split_rules is False and not profile.is_ios and not profile.lockdown:
        yield Finding(
            "ipv6-beside-tunnel",
            "lockdown",
            "a client without an IPv6 address sends the device's IPv6 traffic outside the full tunnel",
            "Add always_on: true and lockdown: true: Android then blocks what the tunnel does not carry.",
            fatal=False,
        )


def _lockdown(profile: ProfileObject) -> Iterator[Finding]:
    if profile.lockdown and not profile.always_on:
        yield Finding(
            "lockdown-needs-always-on",
            "lockdown",
            "lockdown requires always-on VPN",
            "Add always_on: true.",
        )
    if profile.lockdown_exclusions and not profile.lockdown:
        yield Finding(
            "lockdown-exclusions-alone",
            "lockdown_exclusions",
            "lockdown_exclusions count only with lockdown",
            "Add lockdown: true, or remove them.",
        )


def _apps(profile: ProfileObject) -> Iterator[Finding]:
    if len(profile.apps) > _MOST:
        yield Finding("apps-too-many", "apps", f"there are more than {_MOST} apps", "Remove some.")
    for name in (*(app.id for app in profile.apps), *profile.lockdown_exclusions):
        if not _PACKAGE.fullmatch(name):
            key = "apps" if name in {app.id for app in profile.apps} else "lockdown_exclusions"
            message = f"“{name[:80]}” is not the id of a package or bundle"
            yield Finding("app-id-invalid", key, message, "Write one such as com.microsoft.emmx.")


def _ios(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    yield from judge_on_demand(profile.on_demand_rules)
    if profile.per_app and profile.on_demand_rules:
        yield Finding(
            "per-app-and-on-demand",
            "on_demand_rules",
            "per-app VPN and on-demand rules together start the VPN in two ways",
            "Choose one of them.",
            fatal=False,
        )
    if profile.per_app and split_rules is not False:
        has = "has" if split_rules else "may have"
        yield Finding(
            "per-app-ignores-split-rules",
            "per_app",
            f"with per-app VPN, iOS ignores the split tunnelling rules that the site {has}",
            "All traffic of the apps goes through the tunnel.",
            fatal=False,
        )
    if not profile.per_app and (
        profile.safari_domains or profile.associated_domains or profile.excluded_domains
    ):
        yield Finding(
            "domains-without-per-app",
            "per_app",
            "domains for Safari, associated and excluded domains count only with per-app VPN",
            "Add per_app: true, or remove them.",
        )


def _assignment(profile: ProfileObject) -> Iterator[Finding]:
    both = set(profile.groups) & set(profile.excluded_groups)
    if both:
        message = f"the group {min(both)} is both included and excluded"
        yield Finding("group-both-ways", "excluded_groups", message, "Remove it from one list.")
    if not (profile.groups or profile.all_users or profile.all_devices):
        yield Finding(
            "not-assigned",
            "groups",
            "the profile is not assigned to any user",
            "Add groups by id, or all_users: true.",
            fatal=False,
        )
