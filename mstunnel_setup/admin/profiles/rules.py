"""Rules for VPN profiles. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Iterator
from typing import Final

from mstunnel_setup.admin.profiles.exclusions import judge_exclusions
from mstunnel_setup.admin.profiles.findings import (
    ALWAYS_ON_NEEDS_RESTRICTIONS,
    APP_ID_INVALID,
    APPS_TOO_MANY,
    DOMAINS_WITHOUT_PER_APP,
    EXCLUSIONS_ALONE,
    GROUP_BOTH_WAYS,
    IPV6_BESIDE_TUNNEL,
    KEY_OF_ANOTHER_PLATFORM,
    LOCKDOWN_EXCLUSIONS_ALONE,
    LOCKDOWN_NEEDS_ALWAYS_ON,
    NOT_ASSIGNED,
    PAC_URL_INVALID,
    PER_APP_AND_ON_DEMAND,
    PER_APP_IGNORES_SPLIT_RULES,
    PER_APP_STARTS_BY_HAND,
    PROXY_ADDRESS_INVALID,
    PROXY_INCOMPLETE,
    PROXY_NEEDS_ANDROID_10,
    PROXY_PORT_INVALID,
    RETIRED_CLIENT,
)
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
    """All findings about a profile.

    `split_rules` is whether the site's server configuration has split tunnelling rules, None: unknown.
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
            yield KEY_OF_ANOTHER_PLATFORM(key=key, other=other).at(key)


def _proxy(proxy: ProxyObject) -> Iterator[Finding]:
    if (proxy.pac_url is None) == (proxy.address is None):
        yield PROXY_INCOMPLETE()
    elif proxy.pac_url is not None and not is_web_address(proxy.pac_url):
        yield PAC_URL_INVALID(url=proxy.pac_url[:80])
    elif proxy.address is not None and not is_host(proxy.address):
        yield PROXY_ADDRESS_INVALID(address=proxy.address[:80])
    elif proxy.address is not None and (proxy.port is None or proxy.port not in _PORTS):
        yield PROXY_PORT_INVALID()


def _exclusions(profile: ProfileObject) -> Iterator[Finding]:
    if not profile.proxy_exclusions or profile.is_ios:
        return
    yield from judge_exclusions(profile.proxy_exclusions)
    if profile.proxy is None or profile.proxy.address is None:
        yield EXCLUSIONS_ALONE()


def _connection(profile: ProfileObject) -> Iterator[Finding]:
    if profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield RETIRED_CLIENT(connection="microsoft-tunnel")


def _android(profile: ProfileObject) -> Iterator[Finding]:
    yield from _lockdown(profile)
    if profile.apps and not profile.always_on:
        yield PER_APP_STARTS_BY_HAND()
    if profile.proxy is not None:
        yield PROXY_NEEDS_ANDROID_10()
    if profile.always_on and profile.platform is Platform.ANDROID_DEVICE_OWNER:
        yield ALWAYS_ON_NEEDS_RESTRICTIONS()


def _ipv6(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    """A full tunnel gives devices an IPv6 address; a client that asks for none leaves IPv6 to the network."""
    if split_rules is False and not profile.is_ios and not profile.lockdown:
        yield IPV6_BESIDE_TUNNEL()


def _lockdown(profile: ProfileObject) -> Iterator[Finding]:
    if profile.lockdown and not profile.always_on:
        yield LOCKDOWN_NEEDS_ALWAYS_ON()
    if profile.lockdown_exclusions and not profile.lockdown:
        yield LOCKDOWN_EXCLUSIONS_ALONE()


def _apps(profile: ProfileObject) -> Iterator[Finding]:
    if len(profile.apps) > _MOST:
        yield APPS_TOO_MANY(most=_MOST)
    for name in (*(app.id for app in profile.apps), *profile.lockdown_exclusions):
        if not _PACKAGE.fullmatch(name):
            key = "apps" if name in {app.id for app in profile.apps} else "lockdown_exclusions"
            yield APP_ID_INVALID(name=name[:80]).at(key)


def _ios(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    yield from judge_on_demand(profile.on_demand_rules)
    if profile.per_app and profile.on_demand_rules:
        yield PER_APP_AND_ON_DEMAND()
    if profile.per_app and split_rules is not False:
        yield PER_APP_IGNORES_SPLIT_RULES(has="has" if split_rules else "may have")
    if not profile.per_app and (
        profile.safari_domains or profile.associated_domains or profile.excluded_domains
    ):
        yield DOMAINS_WITHOUT_PER_APP()


def _assignment(profile: ProfileObject) -> Iterator[Finding]:
    both = set(profile.groups) & set(profile.excluded_groups)
    if both:
        yield GROUP_BOTH_WAYS(group=min(both))
    if not (profile.groups or profile.all_users or profile.all_devices):
        yield NOT_ASSIGNED()
