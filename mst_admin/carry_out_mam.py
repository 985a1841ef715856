"""Reading and changing the app protection policies that belong to Tunnel for MAM."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mst_admin.apps.mam_policies import PresentProtection
from mst_admin.apps.wire import BUNDLES, PACKAGES
from mst_admin.assignments import ASSIGNMENTS, TYPE
from mst_admin.carry_out_apps import managed_apps
from mst_admin.change import Change
from mst_admin.mam_changes import ANDROID_PROTECTION, IOS_PROTECTION
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import ANDROID_PROTECTIONS, IOS_PROTECTIONS, AppCollection
from mstunnel_setup.tenant.wire import IntuneObject

_COLLECTIONS: Final[Mapping[str, AppCollection[IntuneObject]]] = {
    ANDROID_PROTECTION: ANDROID_PROTECTIONS,
    IOS_PROTECTION: IOS_PROTECTIONS,
}


def read_protections(graph: AdminGraph, names: Collection[str]) -> Iterator[PresentProtection]:
    """The app protection policies with these names, in lower case."""
    for of in (ANDROID_PROTECTIONS, IOS_PROTECTIONS):
        for found in graph.app_objects(of):
            if found.display_name.casefold() in names:
                apps = tuple(sorted(item.identifier for item in graph.targeted_apps(of, found.id)))
                assigned = tuple(graph.app_assignments(of, found.id))
                yield PresentProtection(found, of is IOS_PROTECTIONS, apps, assigned)


def create_protection(change: Change, graph: AdminGraph) -> None:
    """Create an app protection policy, then say for which apps it is, and assign it."""
    created = graph.create_app_object(_COLLECTIONS[change.after[TYPE]], _own(change))
    _complete(change, created.id, graph)


def update_protection(change: Change, graph: AdminGraph) -> None:
    """Change what differs of an app protection policy."""
    body = _own(change)
    if body:
        kind = change.before[TYPE]
        graph.update_app_object(_COLLECTIONS[kind], change.identifier, {**body, TYPE: kind})
    _complete(change, change.identifier, graph)


def delete_protection(change: Change, graph: AdminGraph) -> None:
    """Delete an app protection policy."""
    graph.delete_app_object(_COLLECTIONS[change.before[TYPE]], change.identifier)


def _own(change: Change) -> dict[str, object]:
    apart = {ASSIGNMENTS, PACKAGES, BUNDLES}
    return {name: value for name, value in change.after.items() if name not in apart}


def _complete(change: Change, identifier: str, graph: AdminGraph) -> None:
    """Write what Graph changes through separate actions."""
    of = _COLLECTIONS[change.before.get(TYPE) or change.after[TYPE]]
    if apps := managed_apps(change.after):
        graph.target_apps(of, identifier, apps)
    if ASSIGNMENTS in change.after:
        assigned = [{"target": dict(item)} for item in change.after[ASSIGNMENTS]]
        graph.assign_app_object(of, identifier, assigned)
