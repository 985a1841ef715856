"""Tunnel for MAM compared with the policies of a tenant."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mst_admin.app_configuration_changes import app_configuration_changes, app_configuration_deletion, named
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.mam_policies import (
    EDGE,
    PROTECTION,
    TUNNEL,
    PresentMam,
    PresentProtection,
    configurations_of,
    has_edge,
    protected_apps,
    root_entries,
)
from mst_admin.apps.objects import Channel
from mst_admin.apps.wire import BUNDLES, PACKAGES, PresentAppConfiguration
from mst_admin.assignments import ASSIGNMENTS, TYPE, target_of, targets, wanted_targets
from mst_admin.change import Body, Change
from mst_admin.comparison import differences, update
from mst_admin.errors import NAME_AMBIGUOUS, TRUSTED_ROOT_UNKNOWN
from mst_admin.present_profiles import PresentProfile, is_tunnel
from mst_admin.profile_changes import Place
from mst_admin.wire import without_empty

ANDROID_PROTECTION: Final = "#microsoft.graph.androidManagedAppProtection"
IOS_PROTECTION: Final = "#microsoft.graph.iosManagedAppProtection"
_ON_LAUNCH: Final = "connectToVpnOnLaunch"


@dataclass(frozen=True)
class MamPolicies:
    """The policies of a tenant that Tunnel for MAM may consist of."""

    configurations: Sequence[PresentAppConfiguration] = ()
    protections: Sequence[PresentProtection] = ()


def mam_changes(declared: MamObject, place: Place, roots: str, policies: MamPolicies) -> Iterator[Change]:
    """What makes the tenant's policies as declared; `roots` is the value for the trusted roots.

    Raises TenantError: `name-ambiguous`, `app-configuration-fixed`.
    """
    present = policies.configurations
    for item in configurations_of(declared, place.site_id or place.name, place.address, roots):
        yield from app_configuration_changes(item, present)
    edge = named(f"{declared.name}{EDGE}", present)
    is_own = edge is not None and (edge.channel, edge.is_ios) == (Channel.APPS, declared.is_ios)
    if edge is not None and is_own and not has_edge(declared):
        yield app_configuration_deletion(edge)
    yield from _protection(declared, policies.protections)


def mam_deletions(present: PresentMam) -> Iterator[Change]:
    """What deletes all policies of one object; last the one by which it is found if another is refused."""
    if present.edge is not None:
        yield app_configuration_deletion(present.edge)
    if present.protection is not None:
        found = present.protection.found
        kind = IOS_PROTECTION if present.protection.is_ios else ANDROID_PROTECTION
        yield Change("delete", "app protection", found.display_name, found.id, before={TYPE: kind})
    yield app_configuration_deletion(present.tunnel)


def roots_value(names: Iterable[str], present: Iterable[PresentProfile], changes: Iterable[Change]) -> str:
    """The value for the trusted roots with these names: what the tenant has of them.

    Where a root is to be created or changed by `changes`, the value is the names, which are looked up when it
    is written. Raises TenantError `trusted-root-unknown`, also for a root that is to be deleted.
    """
    wanted = list(names)
    of_roots = [item for item in changes if item.kind == "trusted root"]
    deleted = {item.identifier for item in of_roots if item.verb == "delete"}
    changed = {item.name.casefold() for item in of_roots if item.verb != "delete"}
    known = {
        item.found.display_name.casefold(): item.found
        for item in present
        if not is_tunnel(item) and item.found.id not in deleted
    }
    for name in wanted:
        if name.casefold() not in {*known, *changed}:
            raise TRUSTED_ROOT_UNKNOWN(name=name)
    if any(name.casefold() in changed for name in wanted):
        return json.dumps(wanted)
    return root_entries(known[name.casefold()] for name in wanted)


def _protection(declared: MamObject, present: Sequence[PresentProtection]) -> Iterator[Change]:
    name = f"{declared.name}{PROTECTION}"
    found = [
        item
        for item in present
        if item.is_ios is declared.is_ios and item.found.display_name.casefold() == name.casefold()
    ]
    if len(found) > 1:
        ids = ", ".join(item.found.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="app protection", name=name, ids=ids)
    body = _protection_body(declared, name)
    if not found:
        after = {**body, ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "app protection", name, after=without_empty(after))
        return
    (there,) = found
    wire = there.found.model_dump(mode="json", by_alias=True)
    before = {
        **{key: wire.get(key) for key in body},
        TYPE: body[TYPE],
        BUNDLES if there.is_ios else PACKAGES: sorted(there.apps),
        ASSIGNMENTS: [target_of(item) for item in there.assignments],
    }
    body[ASSIGNMENTS] = wanted_targets(declared, there.assignments)
    yield from update("app protection", name, there.found.id, before, differences(before, body))


def _protection_body(declared: MamObject, name: str) -> Body:
    """What the app protection policy needs for the tunnel; all else of it is an administrator's choice."""
    body: Body = {
        TYPE: IOS_PROTECTION if declared.is_ios else ANDROID_PROTECTION,
        "displayName": name,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        BUNDLES if declared.is_ios else PACKAGES: sorted(protected_apps(declared)),
    }
    return body if declared.is_ios else {**body, _ON_LAUNCH: True}


def policies_of_mam(present: Iterable[PresentMam]) -> set[str]:
    """The ids of all app configurations that belong to the objects."""
    return {item.id for mam in present for item in (mam.tunnel, mam.edge) if item is not None}


def policy_names(declared: Iterable[str]) -> set[str]:
    """The names, in lower case, of the app configurations that declared objects with these names have."""
    return {f"{name}{ending}".casefold() for name in declared for ending in (TUNNEL, EDGE)}


def protection_names(present: Iterable[PresentAppConfiguration], declared: Iterable[str] = ()) -> set[str]:
    """The names, in lower case, that app protection policies of Tunnel for MAM may have.

    In a tenant with these app configurations, and those of declared objects with these names.
    """
    ending = TUNNEL.casefold()
    names = (item.name.casefold() for item in present)
    found = {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return {f"{name}{PROTECTION}".casefold() for name in (*found, *declared)}
