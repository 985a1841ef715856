"""Reading and changing the apps of a tenant, and to whom they are assigned."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mst_admin.app_changes import PACKAGE
from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, Wire
from mst_admin.errors import NAME_AMBIGUOUS, PROFILE_UNKNOWN
from mst_admin.objects.app import IOS_APP, VPN, VPN_ID, PresentApp, is_store_app
from mst_admin.objects.profile_wire import is_for_ios, is_tunnel_profile
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import MOBILE_APPS
from mstunnel_setup.tenant.wire_apps import PLAY_APP, MobileApp

_ASSIGNMENT: Final = "#microsoft.graph.mobileAppAssignment"
_SETTINGS: Final = {
    IOS_APP: "#microsoft.graph.iosStoreAppAssignmentSettings",
    "#microsoft.graph.iosVppApp": "#microsoft.graph.iosVppAppAssignmentSettings",
    PLAY_APP: "#microsoft.graph.androidManagedStoreAppAssignmentSettings",
}


def read_apps(
    graph: AdminGraph, apps: Iterable[MobileApp], profiles: Mapping[str, str]
) -> Iterator[PresentApp]:
    """Those of the apps that declarations can speak about, each with its assignments.

    `profiles` are the names of VPN profiles by their ids.
    """
    for found in apps:
        if is_store_app(found):
            yield PresentApp(found, tuple(graph.app_assignments(MOBILE_APPS, found.id)), profiles)


def create_app(change: Change, graph: AdminGraph) -> None:
    """Create an app, or bring it from managed Google Play, and assign it."""
    if PACKAGE in change.after:
        kind, identifier = PLAY_APP, graph.add_play_app(change.after[PACKAGE])
    else:
        body = {name: value for name, value in change.after.items() if name != ASSIGNMENTS}
        kind, identifier = IOS_APP, graph.create_app_object(MOBILE_APPS, body).id
    _assign(identifier, kind, change.after, graph)


def update_app(change: Change, graph: AdminGraph) -> None:
    """Change what differs of an app."""
    kind = change.before[TYPE]
    body = {name: value for name, value in change.after.items() if name != ASSIGNMENTS}
    if body:
        graph.update_app_object(MOBILE_APPS, change.identifier, {**body, TYPE: kind})
    if ASSIGNMENTS in change.after:
        _assign(change.identifier, kind, change.after, graph)


def delete_app(change: Change, graph: AdminGraph) -> None:
    """Delete an app."""
    graph.delete_app_object(MOBILE_APPS, change.identifier)


def _assign(identifier: str, kind: str, after: Wire, graph: AdminGraph) -> None:
    assigned = [
        {**item, TYPE: _ASSIGNMENT, "settings": {TYPE: _SETTINGS[kind], **_by_id(item["settings"], graph)}}
        for item in after[ASSIGNMENTS]
    ]
    graph.assign_app_object(MOBILE_APPS, identifier, assigned)


def _by_id(settings: Wire, graph: AdminGraph) -> Body:
    """Settings with the id of the VPN profile that they name, which may be a moment old."""
    body = {name: value for name, value in settings.items() if name != VPN}
    wanted = settings.get(VPN)
    if wanted is None:
        return body
    named = [item.id for item in graph.profiles(wanted) if is_tunnel_profile(item) and is_for_ios(item)]
    if not named:
        raise PROFILE_UNKNOWN(name=wanted)
    if len(named) > 1:
        raise NAME_AMBIGUOUS(count=len(named), kind="profile", name=wanted, ids=", ".join(named))
    return {**body, VPN_ID: named[0]}
