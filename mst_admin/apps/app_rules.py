"""Rules for apps and their assignments. Source: docs/reference/mst-admin.md."""

from collections import Counter
from collections.abc import Iterable, Iterator

from mst_admin.apps import findings
from mst_admin.apps.app_objects import StoreAppObject
from mst_admin.assignments import identity, targets
from mst_admin.profiles.objects import ProfileObject
from mst_admin.profiles.rules import PACKAGE
from mst_admin.profiles.rules_assignment import judge_assignment
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text

_IOS_ONLY = ("description", "publisher", "store_url")


def judge_app(declared: StoreAppObject, profiles: Iterable[ProfileObject] = ()) -> tuple[Finding, ...]:
    """All findings about an app; `profiles` are the VPN profiles that are known."""
    return (
        *_properties(declared),
        *_assignments(declared),
        *_vpn_profiles(declared, {item.name.casefold(): item for item in profiles}),
    )


def judge_per_app(profile: ProfileObject, apps: Iterable[StoreAppObject]) -> Iterator[Finding]:
    """Whether any of the apps that are declared with a per-app VPN profile uses it."""
    named = {item.vpn_profile.casefold() for app in apps for item in app.assignments if item.vpn_profile}
    if profile.is_ios and profile.per_app and profile.name.casefold() not in named:
        yield findings.PER_APP_WITHOUT_APP(profile=profile.name)


def _properties(declared: StoreAppObject) -> Iterator[Finding]:
    if not PACKAGE.fullmatch(declared.id):
        yield findings.APP_CONFIG_APP_ID(name=declared.id[:80]).at("id")
    if declared.is_ios:
        if not declared.publisher:
            yield findings.APP_INCOMPLETE(key="publisher").at("publisher")
        if not declared.store_url.startswith("https://"):
            yield findings.APP_STORE_URL(url=declared.store_url[:80])
        return
    for key in _IOS_ONLY:
        if getattr(declared, key):
            yield findings.APP_KEY(key=key, other=text("apps for iOS")).at(key)


def _assignments(declared: StoreAppObject) -> Iterator[Finding]:
    for item in declared.assignments:
        for finding in judge_assignment(item, "app"):
            yield finding.at("assignments")
        if item.vpn_profile and not declared.is_ios:
            yield findings.APP_KEY(key="vpn_profile", other=text("apps for iOS")).at("assignments")
        if item.updates != "default" and declared.is_ios:
            yield findings.APP_KEY(key="updates", other=text("apps for Android")).at("assignments")
    all_targets = Counter(identity(target) for item in declared.assignments for target in targets(item))
    for (kind, group), count in all_targets.items():
        if count > 1:
            yield findings.APP_ASSIGNED_TWICE(target=group or kind.rpartition(".")[2])
    if not declared.assignments:
        yield findings.APP_NOT_ASSIGNED()


def _vpn_profiles(declared: StoreAppObject, profiles: dict[str, ProfileObject]) -> Iterator[Finding]:
    for item in declared.assignments:
        profile = profiles.get((item.vpn_profile or "").casefold())
        if profile is not None and not (profile.is_ios and profile.per_app):
            yield findings.APP_VPN_NOT_PER_APP(profile=profile.name)
