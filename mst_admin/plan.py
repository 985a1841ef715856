"""The difference between what is declared and what the tenant has, as changes in the order of doing them."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from mst_admin.app_changes import app_changes, require_profiles
from mst_admin.app_configuration_changes import (
    app_configuration_changes,
    app_configuration_deletion,
    require_app,
)
from mst_admin.apps.app_wire import PresentApp
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.mam_policies import PresentMam, PresentProtection, find_mam
from mst_admin.apps.objects import AppConfigurationObject
from mst_admin.apps.wire import PresentAppConfiguration, is_about_tunnel
from mst_admin.change import CONFIGURATION, Change, update_of
from mst_admin.declared import DeclarationError, Declared, Placed
from mst_admin.errors import NAME_AMBIGUOUS
from mst_admin.mam_changes import (
    MamPolicies,
    mam_changes,
    mam_deletions,
    policies_of_mam,
    policy_names,
    roots_value,
)
from mst_admin.objects import ConfigurationObject, SiteObject, ThresholdObject
from mst_admin.present_profiles import PresentProfile, is_tunnel, profile_names
from mst_admin.profile_changes import Place, profile_changes, profile_deletions
from mst_admin.profiles.objects import ProfileObject
from mst_admin.profiles.present import is_for_ios
from mst_admin.profiles.wire import server_address
from mst_admin.root_changes import root_changes
from mst_admin.wire import (
    changed,
    configuration_body,
    configuration_object,
    site_body,
    site_object,
    threshold_body,
    threshold_object,
    without_empty,
)
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway.configuration import DEFAULT_PORT
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite
from mstunnel_setup.tenant.wire_apps import MobileApp

NamedObject: TypeAlias = ConfigurationObject | SiteObject | ProfileObject | AppConfigurationObject | MamObject
Named = TypeVar("Named", TunnelConfiguration, TunnelSite)


@dataclass(frozen=True)
class Tenant:
    """What the tenant has; what stands after the thresholds is there only when it was requested.

    Among the profiles are trusted roots. `mobile_apps` are all apps, `apps` those with their assignments that
    declarations are about.
    """

    configurations: tuple[TunnelConfiguration, ...] = ()
    sites: tuple[TunnelSite, ...] = ()
    thresholds: tuple[HealthThreshold, ...] = ()
    profiles: tuple[PresentProfile, ...] = ()
    mobile_apps: tuple[MobileApp, ...] = ()
    apps: tuple[PresentApp, ...] = ()
    app_configurations: tuple[PresentAppConfiguration, ...] = ()
    protections: tuple[PresentProtection, ...] = ()

    @property
    def mam(self) -> list[PresentMam]:
        """What Tunnel for MAM consists of among the policies."""
        sites = {site.id: site.display_name for site in self.sites}
        return list(find_mam(self.app_configurations, self.protections, sites))


def plan(declared: Declared, tenant: Tenant, now: datetime, *, prune: bool = False) -> list[Change]:
    """The changes that make the tenant as declared; with `prune` also the deletion of what is not declared.

    Only of the kinds that the declarations speak about, even with an empty list. Objects are found again by
    name. What is named must exist or be declared, and not be deleted. Raises
    TenantError `name-ambiguous` when the tenant has two of a name, `app-missing`, `profile-unknown` and
    `trusted-root-unknown`, DeclarationError for a server configuration or a site that is not there.
    """
    deletions = list(_deletions(declared, tenant)) if prune else []
    deleted = {change.identifier for change in deletions}
    staying = replace(tenant, sites=tuple(item for item in tenant.sites if item.id not in deleted))
    kept = [item for item in tenant.configurations if item.id not in deleted]
    known = _names(declared.configurations) | {
        name.casefold() for item in kept for name in (item.display_name, item.id)
    }
    lines = [
        item.line(
            "configuration",
            text(
                "no server configuration is called `{configuration}`", configuration=item.value.configuration
            ),
        )
        for item in declared.sites
        if item.value.configuration.casefold() not in known
    ]
    if lines:
        raise DeclarationError(lines)
    places = [_place(item, declared, staying) for item in declared.profiles]
    changes = [
        *(_configuration(item.value, tenant) for item in declared.configurations),
        *(_site(item.value, tenant, now) for item in declared.sites),
        *(_threshold(item.value, tenant) for item in declared.thresholds),
    ]
    for root in declared.trusted_roots:
        changes += root_changes(root.value, tenant.profiles)
    for item, place in zip(declared.profiles, places, strict=True):
        changes += profile_changes(item.value, place, tenant.profiles)
    changes += _apps(declared, tenant, deleted)
    policies = MamPolicies(tenant.app_configurations, tenant.protections)
    made = [change for change in changes if change]
    for mam in declared.mam:
        roots = roots_value(mam.value.trusted_roots, tenant.profiles, [*made, *deletions])
        changes += mam_changes(mam.value, _place(mam, declared, staying), roots, policies)
    return [*(change for change in changes if change), *deletions]


def _apps(declared: Declared, tenant: Tenant, deleted: Container[str]) -> Iterator[Change]:
    """Apps, which name profiles, and then app configurations, which name apps.

    `deleted` are the ids of what will not stay.
    """
    staying = (item for item in tenant.profiles if item.found.id not in deleted and is_for_ios(item.found))
    names = {*(item.value.name for item in declared.profiles), *profile_names(staying).values()}
    for app in declared.apps:
        require_profiles(app.value, names)
        yield from app_changes(app.value, tenant.apps)
    new = {app.value.key for app in declared.apps}
    for configuration in declared.app_configurations:
        require_app(configuration.value, tenant.mobile_apps, new)
        yield from app_configuration_changes(configuration.value, tenant.app_configurations)


def configuration_change(declared: ConfigurationObject, present: TunnelConfiguration | None) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = configuration_body(declared)
    if present is None:
        return Change("create", "configuration", declared.name, after=without_empty(body))
    before = configuration_body(configuration_object(present))
    return update_of("configuration", declared.name, present.id, before, changed(before, body))


def site_change(declared: SiteObject, present: TunnelSite | None, now: datetime) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = {**site_body(declared, now), CONFIGURATION: declared.configuration}
    if present is None:
        return Change("create", "site", declared.name, after=without_empty(body))
    found = site_object(present)
    before = {**site_body(found, now), CONFIGURATION: found.configuration}
    used = present.microsoft_tunnel_configuration
    if used and declared.configuration.casefold() in {used.id.casefold(), used.display_name.casefold()}:
        body[CONFIGURATION] = found.configuration
    return update_of("site", declared.name, present.id, before, changed(before, body))


def threshold_change(declared: ThresholdObject, present: HealthThreshold | None) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = threshold_body(declared)
    if present is None:
        return Change("create", "threshold", declared.metric, after=body)
    before = threshold_body(threshold_object(present))
    return update_of("threshold", declared.metric, present.id, before, changed(before, body))


def _configuration(declared: ConfigurationObject, tenant: Tenant) -> Change | None:
    return configuration_change(
        declared, only(tenant.configurations, declared.name, text("server configuration"))
    )


def _site(declared: SiteObject, tenant: Tenant, now: datetime) -> Change | None:
    return site_change(declared, only(tenant.sites, declared.name, "site"), now)


def _threshold(declared: ThresholdObject, tenant: Tenant) -> Change | None:
    key = declared.metric.casefold()
    return threshold_change(
        declared, next((item for item in tenant.thresholds if item.id.casefold() == key), None)
    )


def only(objects: Sequence[Named], name: str, what: str) -> Named | None:
    """The one object of that name, without regard to case. Raises TenantError `name-ambiguous`."""
    found = [item for item in objects if item.display_name.casefold() == name.casefold()]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind=what, name=name, ids=ids)
    return found[0] if found else None


def _deletions(declared: Declared, tenant: Tenant) -> Iterator[Change]:
    """What is used goes after what uses it: profiles, sites, server configurations. Thresholds stay.

    Each kind goes only where declarations speak about it at all, and a configuration not while a site that
    stays uses it.
    """
    if "mam" in declared.sections:
        kept = _names(declared.mam)
        for mam in tenant.mam:
            yield from mam_deletions(mam) if mam.name.casefold() not in kept else ()
    if "app_configurations" in declared.sections:
        kept = _names(declared.app_configurations) | policy_names(item.value.name for item in declared.mam)
        others = (item for item in tenant.app_configurations if item.name.casefold() not in kept)
        of_mam = policies_of_mam(tenant.mam)
        yield from (
            app_configuration_deletion(item)
            for item in others
            if is_about_tunnel(item) and item.id not in of_mam
        )
    if "profiles" in declared.sections:
        kept = _names(declared.profiles)
        names = [item.found.display_name for item in tenant.profiles if is_tunnel(item)]
        for name in names:
            yield from profile_deletions(name, tenant.profiles) if name.casefold() not in kept else ()
    sites = _others(tenant.sites, declared.sites)
    if "sites" in declared.sections:
        yield from (Change("delete", "site", item.display_name, item.id) for item in sites)
        sites = []
    if "configurations" in declared.sections:
        used = {
            item.microsoft_tunnel_configuration.id for item in sites if item.microsoft_tunnel_configuration
        }
        yield from (
            Change("delete", "configuration", item.display_name, item.id)
            for item in _others(tenant.configurations, declared.configurations)
            if item.id not in used
        )


def _others(
    present: Sequence[Named], declared: Sequence[Placed[ConfigurationObject]] | Sequence[Placed[SiteObject]]
) -> list[Named]:
    kept = _names(declared)
    return [item for item in present if item.display_name.casefold() not in kept]


def _names(declared: Sequence[Placed[NamedObject]]) -> set[str]:
    return {item.value.name.casefold() for item in declared}


def _place(item: Placed[ProfileObject] | Placed[MamObject], declared: Declared, tenant: Tenant) -> Place:
    """Where the site that is named is, or will be.

    Raises DeclarationError when there is none, TenantError `name-ambiguous` when there are several.
    """
    wanted = item.value.site.casefold()
    with_id = next((site for site in tenant.sites if site.id == wanted), None)
    present = with_id or only(tenant.sites, item.value.site, "site")
    name = present.display_name.casefold() if present else wanted
    planned = next((site.value for site in declared.sites if site.value.name.casefold() == name), None)
    if planned is not None:
        port = _port(planned.configuration, declared, tenant)
        address = server_address(planned.public_address, port)
        return Place(planned.name, present.id if present else "", address)
    if present is not None:
        return place_of(present)
    raise DeclarationError([item.line("site", f"no site is called `{item.value.site}`")])


def place_of(site: TunnelSite) -> Place:
    """Where a site of the tenant is."""
    configuration = site.microsoft_tunnel_configuration
    port = (configuration.listen_port if configuration else None) or DEFAULT_PORT
    return Place(site.display_name, site.id, server_address(site.public_address or "", port))


def _port(configuration: str, declared: Declared, tenant: Tenant) -> int:
    """The port of a server configuration by its name or id, as it will be."""
    wanted = configuration.casefold()
    found = next(
        (item for item in tenant.configurations if wanted in {item.id, item.display_name.casefold()}), None
    )
    name = found.display_name.casefold() if found else wanted
    for item in declared.configurations:
        if item.value.name.casefold() == name:
            return item.value.listen_port
    return (found.listen_port if found else None) or DEFAULT_PORT
