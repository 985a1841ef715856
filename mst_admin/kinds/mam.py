"""Tunnel for MAM: app configurations and their app protection policy."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, differences, update
from mst_admin.errors import TRUSTED_ROOT_UNKNOWN
from mst_admin.kinds import app_configuration as app_policies
from mst_admin.kinds.lookup import called
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.kinds.tunnel import SITE
from mst_admin.objects import mam
from mst_admin.objects.app_configuration import BUNDLES, PACKAGES, Channel, PresentAppConfiguration
from mst_admin.objects.parts import target_of, targets, wanted_targets, without_empty
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph_admin import (
    ANDROID_PROTECTIONS,
    IOS_PROTECTIONS,
    MANAGED_APP_CONFIGURATIONS,
    AdminGraph,
)


class _MamKind(app_policies.AppPolicyKind[mam.MamObject, mam.PresentMam]):
    """Tunnel for MAM, whose changes are those of app configurations and app protection policies."""

    name = "app protection"
    what = text("tunnel for MAM")
    section = "mam"
    collection = MANAGED_APP_CONFIGURATIONS
    command = "mam"
    head = ("NAME", "PLATFORM", "SITE", "ID")
    file = mam.MamFile
    empty = frozenset({("groups",), ("apps",)})

    def judge(
        self, declared: mam.MamObject, beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        split_rules = beside.has_split_rules(declared.site)
        return mam.judge_mam(declared, beside.mam, beside.profiles, split_rules=split_rules)

    def declared(self, present: mam.PresentMam) -> mam.MamObject:
        return mam.mam_object(present)

    def row(self, present: mam.PresentMam) -> tuple[str, ...]:
        declared = self.declared(present)
        return present.name, declared.platform, declared.site, present.id

    def missing(self, declared: mam.MamObject, planning: Planning) -> Iterator[tuple[str, str]]:
        if planning.site(declared.site) is None:
            yield "site", text("no site is called `{site}`", site=declared.site)

    def changes(self, declared: mam.MamObject, planning: Planning) -> Iterator[Change]:
        """Return the changes of all policies of an object.

        Raises TenantError `name-ambiguous`, `app-configuration-fixed`, `trusted-root-unknown`.
        """
        site, present = planning.site(declared.site), planning.tenant.app_policies
        if site is None:
            return
        roots = _roots_value(declared, planning)
        for item in mam.configurations_of(declared, site.site_id or site.name, site.address, roots):
            yield from app_policies.app_configuration_changes(item, present)
        edge = called(f"{declared.name}{mam.EDGE}", present, "app configuration")
        is_own = edge is not None and (edge.channel, edge.is_ios) == (Channel.APPS, declared.is_ios)
        if edge is not None and is_own and not mam.has_edge(declared):
            yield app_policies.app_configuration_deletion(edge)
        yield from self._protection_changes(declared, planning.tenant.protections)

    def _protection_changes(
        self, declared: mam.MamObject, present: Iterable[mam.PresentProtection]
    ) -> Iterator[Change]:
        """Return the changes of the app protection policy that the tunnel needs; other settings are kept."""
        name = f"{declared.name}{mam.PROTECTION}"
        apps = BUNDLES if declared.is_ios else PACKAGES
        body: Body = {
            TYPE: mam.IOS_PROTECTION if declared.is_ios else mam.ANDROID_PROTECTION,
            "displayName": name,
            "roleScopeTagIds": list(declared.role_scope_tag_ids),
            apps: sorted(declared.apps if declared.is_ios else [mam.EDGE_ANDROID]),
        }
        if not declared.is_ios:
            body["connectToVpnOnLaunch"] = True
        there = called(name, (item for item in present if item.is_ios is declared.is_ios), self.name)
        if there is None:
            after = {**body, ASSIGNMENTS: list(targets(declared))}
            yield Change("create", self.name, name, after=without_empty(after))
            return
        before = {
            **{key: there.wire.get(key) for key in body},
            TYPE: body[TYPE],
            apps: sorted(there.apps),
            ASSIGNMENTS: [target_of(item) for item in there.assignments],
        }
        body[ASSIGNMENTS] = wanted_targets(declared, there.assignments)
        yield from update(self.name, name, there.id, before, differences(before, body))

    def changes_to_delete(self, present: mam.PresentMam, _tenant: TenantObjects) -> Iterator[Change]:
        """Return the deletions of all policies, the one that identifies the object last."""
        if present.edge is not None:
            yield app_policies.app_configuration_deletion(present.edge)
        if present.protection is not None:
            found = present.protection
            kind = mam.IOS_PROTECTION if found.is_ios else mam.ANDROID_PROTECTION
            yield Change("delete", self.name, found.name, found.id, before={TYPE: kind})
        yield app_policies.app_configuration_deletion(present.tunnel)

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[mam.PresentMam]:
        found = _with_policies(TenantObjects(sites=tuple(graph.sites())), graph).mam
        return [
            item
            for item in found
            if name is None or name.casefold() in {item.name.casefold(), item.id.casefold()}
        ]

    def surroundings(
        self, graph: AdminGraph, declared: mam.MamObject, _present: Sequence[mam.PresentMam]
    ) -> tuple[mam.MamObject, TenantObjects]:
        site = SITE.find(graph, declared.site)
        used = site.microsoft_tunnel_configuration
        profiles = tuple(read_profiles(graph))
        tenant = TenantObjects((used,) if used else (), (site,), device_configurations=profiles)
        named = declared.model_copy(update={"site": site.display_name})
        return named, _with_policies(tenant, graph, declared.name)


MAM: Final = _MamKind()


def _with_policies(tenant: TenantObjects, graph: AdminGraph, *declared: str) -> TenantObjects:
    configurations = tuple(app_policies.read_app_configurations(graph, ()))
    protections = tuple(read_protections(graph, configurations, declared))
    return replace(tenant, app_policies=configurations, protections=protections)


def read_protections(
    graph: AdminGraph, configurations: Iterable[PresentAppConfiguration], declared: Collection[str]
) -> Iterator[mam.PresentProtection]:
    """Read the app protection policies that may belong to Tunnel for MAM.

    These are the ones named after these app configurations, or after declared objects with these names.
    """
    ending = mam.TUNNEL.casefold()
    found_names = (item.name.casefold() for item in configurations)
    tunnels = [name.removesuffix(ending) for name in found_names if name.endswith(ending)]
    names = {f"{name}{mam.PROTECTION}".casefold() for name in (*tunnels, *declared)}
    for of in (ANDROID_PROTECTIONS, IOS_PROTECTIONS):
        for found in graph.objects(of):
            if found.display_name.casefold() in names:
                apps = tuple(sorted(item.identifier for item in graph.targeted_apps(of, found.id)))
                assignments = tuple(graph.app_assignments(of, found.id))
                yield mam.PresentProtection(found, of is IOS_PROTECTIONS, apps, assignments)


def _roots_value(declared: mam.MamObject, planning: Planning) -> str:
    """Return the setting for the named trusted roots, with the tenant's certificates.

    If a root will be created or changed, the setting has the names, which are replaced when it is written.
    Raises TenantError `trusted-root-unknown`, also for a root that will be deleted.
    """
    of_roots = [item for item in (*planning.changes, *planning.deletions) if item.kind == "trusted root"]
    deleted = {item.identifier for item in of_roots if item.verb == "delete"}
    changed = {item.name.casefold() for item in of_roots if item.verb != "delete"}
    known = {item.name.casefold(): item.found for item in planning.tenant.roots if item.id not in deleted}
    names = [name.casefold() for name in declared.trusted_roots]
    for name, key in zip(declared.trusted_roots, names, strict=True):
        if key not in {*known, *changed}:
            raise TRUSTED_ROOT_UNKNOWN(name=name)
    if changed.intersection(names):
        return json.dumps(declared.trusted_roots)
    return mam.root_entries(known[key] for key in names)
