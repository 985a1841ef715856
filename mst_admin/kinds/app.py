"""Apps of the tenant: to whom they are assigned, and which VPN profile they use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from typing_extensions import override

from mst_admin.change import ASSIGNMENTS, TYPE, Change, differences, update
from mst_admin.errors import PROFILE_UNKNOWN
from mst_admin.kinds.kind import FileKind, References, only
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.objects.app import (
    IOS_APP,
    VPN,
    VPN_ID,
    PresentApp,
    StoreAppFile,
    StoreAppObject,
    app_body,
    app_not_declared,
    app_object,
    assignment_bodies,
    is_store_app,
    is_tunnel_app,
    judge_app,
    present_assignments,
    same_assignments,
    wanted_assignments,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.profile_wire import PresentProfile, is_for_ios, is_tunnel_profile
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.graph_admin import MOBILE_APPS, PROFILES, AdminGraph
from mstunnel_setup.tenant.wire_apps import PLAY_APP, MobileApp

_PACKAGE: Final = "packageId"
_SETTINGS: Final = {
    IOS_APP: "#microsoft.graph.iosStoreAppAssignmentSettings",
    "#microsoft.graph.iosVppApp": "#microsoft.graph.iosVppAppAssignmentSettings",
    PLAY_APP: "#microsoft.graph.androidManagedStoreAppAssignmentSettings",
}


class AppKind(FileKind[StoreAppObject, PresentApp]):
    """Apps from the App Store and managed Google Play, which are found again by their id in the store."""

    name = "app"
    what = label = "app"
    section = "apps"
    key = "key"
    command = "app"
    result = "app"
    head = ("NAME", "PLATFORM", "PACKAGE OR BUNDLE", "ID")
    file = StoreAppFile
    empty = frozenset({("assignments",)})
    documents = "app"

    @override
    def judge(
        self, declared: StoreAppObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_app(declared, beside.profiles)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[PresentApp]:
        return list(filter(is_tunnel_app, tenant.apps))

    @override
    def declared(self, present: PresentApp) -> StoreAppObject:
        return app_object(present)

    @override
    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:
        for item in self.present(tenant):
            yield from app_not_declared(item)

    @override
    def changes(self, declared: StoreAppObject, planning: Planning) -> Iterator[Change]:
        """Settings of assignments that a file cannot say stay.

        Raises TenantError `profile-unknown` unless each VPN profile that is named will be there, and
        `name-ambiguous`.
        """
        staying = [item for item in planning.tenant.tunnel_profiles if item.id not in planning.deleted]
        profiles = [item.name for item in staying if is_for_ios(item.found)]
        known = {name.casefold() for name in (*profiles, *(item.name for item in planning.declared.profiles))}
        for item in declared.assignments:
            if item.vpn_profile and item.vpn_profile.casefold() not in known:
                raise PROFILE_UNKNOWN(name=item.vpn_profile)
        there = only(
            [item for item in planning.tenant.apps if item.key == declared.key], self.what, declared.id
        )
        if there is None:
            own = app_body(declared) if declared.is_ios else {_PACKAGE: declared.id}
            body = {**own, ASSIGNMENTS: list(assignment_bodies(declared))}
            yield Change("create", self.name, declared.name, after=without_empty(body))
            return
        before = {**app_body(app_object(there)), TYPE: there.found.odata_type}
        differs = differences(before, app_body(declared)) if there.has_properties else {}
        assigned, wanted = present_assignments(there), wanted_assignments(declared, there)
        if not same_assignments(assigned, wanted):
            before, differs = {**before, ASSIGNMENTS: assigned}, {**differs, ASSIGNMENTS: wanted}
        yield from update(self.name, there.name, there.id, before, differs)

    @override
    def deleting(self, present: PresentApp, tenant: TenantObjects) -> Iterator[Change]:
        """An app goes with its assignments."""
        yield Change("delete", self.name, present.name, present.id)

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        """Other uses of an app are not known, so `--prune` leaves it."""
        yield from ()

    @override
    def create(self, change: Change, references: References) -> None:
        """Create an app, or bring it from managed Google Play, and assign it."""
        graph = references.graph
        if _PACKAGE in change.after:
            kind, identifier = PLAY_APP, graph.add_play_app(change.after[_PACKAGE])
        else:
            body = {name: value for name, value in change.after.items() if name != ASSIGNMENTS}
            kind, identifier = IOS_APP, graph.create(MOBILE_APPS, body).id
        _assign(change, identifier, kind, graph)

    @override
    def update(self, change: Change, references: References) -> None:
        graph, kind = references.graph, change.before[TYPE]
        if body := {name: value for name, value in change.after.items() if name != ASSIGNMENTS}:
            graph.update(MOBILE_APPS, change.identifier, {**body, TYPE: kind})
        if ASSIGNMENTS in change.after:
            _assign(change, change.identifier, kind, graph)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete(MOBILE_APPS, change.identifier)

    @override
    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[PresentApp]:
        """All apps that declarations can speak about, or those with this name, id, or id in a store."""
        key, found = wanted.casefold(), []
        for app in graph.objects(MOBILE_APPS):
            names = {app.id, app.display_name.casefold(), app.identifier.casefold(), PresentApp(app).key}
            if not wanted or key in names:
                found.append(app)
        return list(read_apps(graph, found, read_profiles(graph)))

    @override
    def search(self, declared: StoreAppObject) -> str:
        return declared.key

    @override
    def row(self, present: PresentApp) -> tuple[str, ...]:
        platform = "ios" if present.is_ios else "android"
        return present.name, platform, present.found.identifier, present.id

    @override
    def surroundings(
        self, graph: AdminGraph, declared: StoreAppObject, present: Sequence[PresentApp]
    ) -> tuple[StoreAppObject, TenantObjects]:
        return declared, TenantObjects(profiles=tuple(read_profiles(graph)), apps=tuple(present))


APP = AppKind()


def read_apps(
    graph: AdminGraph, apps: Iterable[MobileApp], profiles: Iterable[PresentProfile]
) -> Iterator[PresentApp]:
    """Those of the apps that declarations can speak about, each with its assignments."""
    names: Mapping[str, str] = {item.id: item.name for item in profiles if item.is_tunnel}
    for found in apps:
        if is_store_app(found):
            yield PresentApp(found, tuple(graph.app_assignments(MOBILE_APPS, found.id)), names)


def _assign(change: Change, identifier: str, kind: str, graph: AdminGraph) -> None:
    """Assign an app; VPN profiles are looked up by their names, which may be a moment old."""
    assignments = []
    for item in change.after[ASSIGNMENTS]:
        settings = {TYPE: _SETTINGS[kind], **item["settings"]}
        wanted = settings.pop(VPN, None)
        if wanted is not None:
            named = [
                found
                for found in graph.objects(PROFILES, wanted)
                if is_tunnel_profile(found) and is_for_ios(found)
            ]
            profile = only(named, "profile", wanted)
            if profile is None:
                raise PROFILE_UNKNOWN(name=wanted)
            settings[VPN_ID] = profile.id
        assignments.append({**item, TYPE: "#microsoft.graph.mobileAppAssignment", "settings": settings})
    graph.assign(MOBILE_APPS, identifier, assignments)
