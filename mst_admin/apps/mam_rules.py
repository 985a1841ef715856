"""Rules for Tunnel for MAM. Source: docs/reference/mst-admin.md."""

from collections.abc import Iterable, Iterator

from mst_admin.apps import findings
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.mam_policies import EDGE_ANDROID
from mst_admin.assignments import Assignable
from mst_admin.profiles.objects import ProfileObject
from mst_admin.profiles.rules import PACKAGE, judge_proxy
from mst_admin.profiles.rules_assignment import judge_assignment
from mstunnel_setup.answers.address import is_host
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text


def judge_mam(
    declared: MamObject,
    others: Iterable[MamObject] = (),
    profiles: Iterable[ProfileObject] = (),
    *,
    split_rules: bool | None = None,
) -> tuple[Finding, ...]:
    """All findings about a declared object; `others` and `profiles` are what is declared with it.

    `split_rules` is whether the site's server configuration has split tunnelling rules, None: unknown.
    """
    return (
        *_apps(declared),
        *(judge_proxy(declared.proxy) if declared.proxy else ()),
        *_ios(declared, split_rules=split_rules),
        *judge_assignment(declared, text("tunnel for MAM")),
        *_others(declared, others),
        *_profiles(declared, profiles),
    )


def _apps(declared: MamObject) -> Iterator[Finding]:
    if declared.is_ios and not declared.apps:
        yield findings.MAM_APPS_MISSING()
    if not declared.is_ios and declared.apps and EDGE_ANDROID not in declared.apps:
        yield findings.MAM_APPS_WITHOUT_EDGE(edge=EDGE_ANDROID)
    for name in declared.apps:
        if not PACKAGE.fullmatch(name):
            yield findings.APP_CONFIG_APP_ID(name=name[:80])


def _ios(declared: MamObject, *, split_rules: bool | None) -> Iterator[Finding]:
    if not declared.is_ios:
        if declared.bypassed_urls:
            yield findings.APP_KEY(key="bypassed_urls", other="iOS").at("bypassed_urls")
        return
    for host in declared.bypassed_urls:
        if not is_host(host):
            yield findings.MAM_BYPASSED_HOST(host=host[:80])
    if declared.proxy and declared.proxy.address and split_rules is not False:
        yield findings.MAM_PROXY_WITHOUT_PAC(has="has" if split_rules else text("may have"))


def _others(declared: MamObject, others: Iterable[MamObject]) -> Iterator[Finding]:
    """A device takes one policy with tunnel settings, and so one site."""
    for other in others:
        if other is not declared and other.platform is declared.platform and _share(declared, other):
            yield findings.MAM_TWICE(other=other.name)


def _profiles(declared: MamObject, profiles: Iterable[ProfileObject]) -> Iterator[Finding]:
    for profile in profiles:
        if profile.is_ios is declared.is_ios and _share(declared, profile):
            yield findings.MAM_BESIDE_PROFILE(profile=profile.name)


def _share(first: Assignable, second: Assignable) -> bool:
    return not set(first.groups).isdisjoint(second.groups)
