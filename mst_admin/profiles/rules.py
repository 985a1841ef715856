"""Rules for VPN profiles. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Iterator
from typing import Final

from mst_admin.profiles import findings
from mst_admin.profiles.exclusions import judge_exclusions
from mst_admin.profiles.objects import ConnectionType, Platform, ProfileObject, ProxyObject, TrustedRootObject
from mst_admin.profiles.rules_assignment import judge_assignment
from mst_admin.profiles.rules_on_demand import judge_on_demand
from mst_admin.profiles.rules_settings import judge_settings
from mst_admin.profiles.wire import is_root_name
from mstunnel_setup.answers.address import is_host, is_web_address
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text

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
        yield findings.TRUSTED_ROOT_NAME(name=declared.name)
    yield from (item for item in judge_assignment(declared, text("trusted root")) if item.fatal)


def _platform(profile: ProfileObject) -> Iterator[Finding]:
    for key in _ANDROID_ONLY if profile.is_ios else _IOS_ONLY:
        if getattr(profile, key):
            other = "Android" if profile.is_ios else "iOS"
            yield findings.KEY_OF_ANOTHER_PLATFORM(key=key, other=other).at(key)


def judge_proxy(proxy: ProxyObject) -> Iterator[Finding]:
    """All findings about a proxy."""
    if (proxy.pac_url is None) == (proxy.address is None):
        yield findings.PROXY_INCOMPLETE()
    elif proxy.pac_url is not None and not is_web_address(proxy.pac_url):
        yield findings.PAC_URL_INVALID(url=proxy.pac_url[:80])
    elif proxy.address is not None and not is_host(proxy.address):
        yield findings.PROXY_ADDRESS_INVALID(address=proxy.address[:80])
    elif proxy.address is not None and (proxy.port is None or proxy.port not in _PORTS):
        yield findings.PROXY_PORT_INVALID()


def _exclusions(profile: ProfileObject) -> Iterator[Finding]:
    if not profile.proxy_exclusions or profile.is_ios:
        return
    yield from judge_exclusions(profile.proxy_exclusions)
    if profile.proxy is None or profile.proxy.address is None:
        yield findings.EXCLUSIONS_ALONE()


def _connection(profile: ProfileObject) -> Iterator[Finding]:
    if profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield findings.RETIRED_CLIENT(connection="microsoft-tunnel")


def _android(profile: ProfileObject) -> Iterator[Finding]:
    if profile.lockdown and not profile.always_on:
        yield findings.LOCKDOWN_NEEDS_ALWAYS_ON()
    if profile.lockdown_exclusions and not profile.lockdown:
        yield findings.LOCKDOWN_EXCLUSIONS_ALONE()
    if profile.apps and not profile.always_on:
        yield findings.PER_APP_STARTS_BY_HAND()
    if profile.proxy is not None:
        yield findings.PROXY_NEEDS_ANDROID_10()
    if profile.always_on and profile.platform is Platform.ANDROID_DEVICE_OWNER:
        yield findings.ALWAYS_ON_NEEDS_RESTRICTIONS()


def _ipv6(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    """A full tunnel gives devices an IPv6 address; a client that asks for none leaves IPv6 to the network."""
    if split_rules is False and not profile.is_ios and not profile.lockdown:
        yield findings.IPV6_BESIDE_TUNNEL()


def _apps(profile: ProfileObject) -> Iterator[Finding]:
    if len(profile.apps) > _MOST:
        yield findings.APPS_TOO_MANY(most=_MOST)
    for name in (*(app.id for app in profile.apps), *profile.lockdown_exclusions):
        if not PACKAGE.fullmatch(name):
            key = "apps" if name in {app.id for app in profile.apps} else "lockdown_exclusions"
            yield findings.APP_ID_INVALID(name=name[:80]).at(key)


def _ios(profile: ProfileObject, *, split_rules: bool | None) -> Iterator[Finding]:
    yield from judge_on_demand(profile.on_demand_rules)
    if profile.per_app and profile.on_demand_rules:
        yield findings.PER_APP_AND_ON_DEMAND()
    if profile.per_app and split_rules is not False:
        yield findings.PER_APP_IGNORES_SPLIT_RULES(has="has" if split_rules else text("may have"))
    if not profile.per_app and (
        profile.safari_domains or profile.associated_domains or profile.excluded_domains
    ):
        yield findings.DOMAINS_WITHOUT_PER_APP()
