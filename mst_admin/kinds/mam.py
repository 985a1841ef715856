"""Tunnel for MAM: app configurations, and the app protection policy that belongs to them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from typing_extensions import override

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, differences, update
from mst_admin.errors import TRUSTED_ROOT_UNKNOWN
from mst_admin.kinds.app_configuration import (
    app_configuration_changes,
    app_configuration_deletion,
    assigned,
    managed_apps,
    named_configuration,
    read_app_configurations,
)
from mst_admin.kinds.kind import FileKind, References, only
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.site import find_site
from mst_admin.kinds.tenant import Declarations, Planning, SiteAddress, TenantObjects, names_of
from mst_admin.objects.app_configuration import BUNDLES, PACKAGES, Channel, PresentAppConfiguration
from mst_admin.objects.mam import (
    EDGE,
    PROTECTION,
    TUNNEL,
    MamFile,
    MamObject,
    PresentMam,
    PresentProtection,
    configurations_of,
    has_edge,
    judge_mam,
    mam_object,
    protected_apps,
    root_entries,
)
from mst_admin.objects.parts import target_of, targets, wanted_targets, without_empty
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import ANDROID_PROTECTIONS, IOS_PROTECTIONS, AdminGraph, AppCollection
from mstunnel_setup.tenant.wire import IntuneObject

_ANDROID_PROTECTION: Final = "#microsoft.graph.androidManagedAppProtection"
_IOS_PROTECTION: Final = "#microsoft.graph.iosManagedAppProtection"
_ON_LAUNCH: Final = "connectToVpnOnLaunch"
_COLLECTIONS: Final[Mapping[str, AppCollection[IntuneObject]]] = {
    _ANDROID_PROTECTION: ANDROID_PROTECTIONS,
    _IOS_PROTECTION: IOS_PROTECTIONS,
}


class MamKind(FileKind[MamObject, PresentMam]):
    """Tunnel for MAM. Its changes are those of app configurations, and of app protection policies."""

    name = "app protection"
    what = label = text("tunnel for MAM")
    section = "mam"
    command = "mam"
    result = "mam_tunnel"
    head = ("NAME", "PLATFORM", "SITE", "ID")
    file = MamFile
    empty = frozenset({("groups",), ("apps",)})
    documents = "mam"

    @override
    def judge(
        self, declared: MamObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        rules = beside.has_split_rules(declared.site)
        return judge_mam(declared, beside.mam, beside.profiles, split_rules=rules)

    @override
    def declared_of(self, tenant: TenantObjects) -> Sequence[MamObject]:
        return list(map(mam_object, tenant.mam))

    @override
    def missing(self, declared: MamObject, planning: Planning) -> Iterator[tuple[str, str]]:
        if planning.site(declared.site) is None:
            yield "site", text("no site is called `{site}`", site=declared.site)

    @override
    def changes(self, declared: MamObject, planning: Planning) -> Iterator[Change]:
        """Raises TenantError: `name-ambiguous`, `app-configuration-fixed`, `trusted-root-unknown`."""
        site = planning.site(declared.site)
        if site is not None:
            yield from mam_changes(declared, site, _roots_value(declared, planning), planning.tenant)

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        kept = names_of(planning.declared.mam)
        for item in planning.tenant.mam:
            if item.name.casefold() not in kept:
                yield from mam_deletions(item)

    @override
    def create(self, change: Change, references: References) -> None:
        """Create an app protection policy, then say for which apps it is, and assign it."""
        of = _COLLECTIONS[change.after[TYPE]]
        created = references.graph.create_app_object(of, _own_properties(change))
        _complete(change, created.id, of, references.graph)

    @override
    def update(self, change: Change, references: References) -> None:
        kind = change.before[TYPE]
        if body := _own_properties(change):
            changed = {**body, TYPE: kind}
            references.graph.update_app_object(_COLLECTIONS[kind], change.identifier, changed)
        _complete(change, change.identifier, _COLLECTIONS[kind], references.graph)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_app_object(_COLLECTIONS[change.before[TYPE]], change.identifier)

    @override
    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[PresentMam]:
        found = _with_policies(TenantObjects(sites=tuple(graph.sites())), graph).mam
        key = wanted.casefold()
        return [item for item in found if not key or key in {item.name.casefold(), item.id.casefold()}]

    @override
    def row(self, present: PresentMam) -> tuple[str, ...]:
        declared = mam_object(present)
        return present.name, declared.platform, declared.site, present.id

    @override
    def declared(self, present: PresentMam) -> MamObject:
        return mam_object(present)

    @override
    def deleting(self, present: PresentMam) -> Iterable[Change]:
        return mam_deletions(present)

    @override
    def surroundings(
        self, graph: AdminGraph, declared: MamObject, present: Sequence[PresentMam]
    ) -> tuple[MamObject, TenantObjects]:
        site = find_site(graph, declared.site)
        used = site.microsoft_tunnel_configuration
        tenant = TenantObjects(
            configurations=(used,) if used else (), sites=(site,), profiles=tuple(read_profiles(graph))
        )
        named = declared.model_copy(update={"site": site.display_name})
        return named, _with_policies(tenant, graph, declared.name)


MAM = MamKind()


def _with_policies(tenant: TenantObjects, graph: AdminGraph, *declared: str) -> TenantObjects:
    configurations = tuple(read_app_configurations(graph, ()))
    protections = tuple(read_protections(graph, protection_names(configurations, declared)))
    return replace(tenant, app_configurations=configurations, protections=protections)


def read_protections(graph: AdminGraph, names: Collection[str]) -> Iterator[PresentProtection]:
    """The app protection policies with these names, in lower case."""
    for of in (ANDROID_PROTECTIONS, IOS_PROTECTIONS):
        for found in graph.app_objects(of):
            if found.display_name.casefold() in names:
                apps = tuple(sorted(item.identifier for item in graph.targeted_apps(of, found.id)))
                assignments = tuple(graph.app_assignments(of, found.id))
                yield PresentProtection(found, of is IOS_PROTECTIONS, apps, assignments)


def protection_names(present: Iterable[PresentAppConfiguration], declared: Iterable[str] = ()) -> set[str]:
    """The names, in lower case, that app protection policies of Tunnel for MAM may have.

    In a tenant with these app configurations, and those of declared objects with these names.
    """
    ending = TUNNEL.casefold()
    names = (item.name.casefold() for item in present)
    found = {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return {f"{name}{PROTECTION}".casefold() for name in (*found, *declared)}


def mam_changes(
    declared: MamObject, site: SiteAddress, roots: str, tenant: TenantObjects
) -> Iterator[Change]:
    """What makes the tenant's policies as declared; `roots` is the value for the trusted roots."""
    present = tenant.app_configurations
    for item in configurations_of(declared, site.site_id or site.name, site.address, roots):
        yield from app_configuration_changes(item, present)
    edge = named_configuration(f"{declared.name}{EDGE}", present)
    is_own = edge is not None and (edge.channel, edge.is_ios) == (Channel.APPS, declared.is_ios)
    if edge is not None and is_own and not has_edge(declared):
        yield app_configuration_deletion(edge)
    yield from _protection_changes(declared, tenant.protections)


def mam_deletions(present: PresentMam) -> Iterator[Change]:
    """What deletes all policies of one object; last the one by which it is found if another is refused."""
    if present.edge is not None:
        yield app_configuration_deletion(present.edge)
    if present.protection is not None:
        found = present.protection.found
        kind = _IOS_PROTECTION if present.protection.is_ios else _ANDROID_PROTECTION
        yield Change("delete", "app protection", found.display_name, found.id, before={TYPE: kind})
    yield app_configuration_deletion(present.tunnel)


def _roots_value(declared: MamObject, planning: Planning) -> str:
    """The value for the trusted roots that are named: what the tenant has of them.

    Where a root is to be created or changed, the value is the names, which are looked up when it is written.
    Raises TenantError `trusted-root-unknown`, also for a root that is to be deleted.
    """
    of_roots = [item for item in (*planning.changes, *planning.deletions) if item.kind == "trusted root"]
    deleted = {item.identifier for item in of_roots if item.verb == "delete"}
    changed = {item.name.casefold() for item in of_roots if item.verb != "delete"}
    known = {
        item.name.casefold(): item.found
        for item in planning.tenant.profiles
        if not item.is_tunnel and item.id not in deleted
    }
    for name in declared.trusted_roots:
        if name.casefold() not in {*known, *changed}:
            raise TRUSTED_ROOT_UNKNOWN(name=name)
    if any(name.casefold() in changed for name in declared.trusted_roots):
        return json.dumps(declared.trusted_roots)
    return root_entries(known[name.casefold()] for name in declared.trusted_roots)


def _protection_changes(declared: MamObject, present: Sequence[PresentProtection]) -> Iterator[Change]:
    """What the app protection policy needs for the tunnel; all else of it is an administrator's choice."""
    name = f"{declared.name}{PROTECTION}"
    apps = BUNDLES if declared.is_ios else PACKAGES
    body: Body = {
        TYPE: _IOS_PROTECTION if declared.is_ios else _ANDROID_PROTECTION,
        "displayName": name,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        apps: sorted(protected_apps(declared)),
    }
    if not declared.is_ios:
        body[_ON_LAUNCH] = True
    key = name.casefold()
    found = [item for item in present if item.is_ios is declared.is_ios and item.name.casefold() == key]
    there = only(found, "app protection", name)
    if there is None:
        after = {**body, ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "app protection", name, after=without_empty(after))
        return
    wire = there.found.model_dump(mode="json", by_alias=True)
    before = {
        **{key: wire.get(key) for key in body},
        TYPE: body[TYPE],
        apps: sorted(there.apps),
        ASSIGNMENTS: [target_of(item) for item in there.assignments],
    }
    body[ASSIGNMENTS] = wanted_targets(declared, there.assignments)
    yield from update("app protection", name, there.id, before, differences(before, body))


def _own_properties(change: Change) -> Body:
    apart = {ASSIGNMENTS, PACKAGES, BUNDLES}
    return {name: value for name, value in change.after.items() if name not in apart}


def _complete(change: Change, identifier: str, of: AppCollection[IntuneObject], graph: AdminGraph) -> None:
    """Write what Graph changes through separate actions."""
    if apps := managed_apps(change.after):
        graph.target_apps(of, identifier, apps)
    if ASSIGNMENTS in change.after:
        graph.assign_app_object(of, identifier, assigned(change))
