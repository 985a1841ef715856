"""Apps of the tenant: their assignments, and the VPN profiles they use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, differences, update
from mst_admin.errors import PROFILE_UNKNOWN
from mst_admin.kinds.kind import FileKind, References
from mst_admin.kinds.lookup import only
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.objects import app as store
from mst_admin.objects.parts import without_empty
from mst_admin.objects.profile_wire import PresentProfile, is_for_ios, is_tunnel_profile
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.graph import GraphCollection
from mstunnel_setup.tenant.graph_admin import MOBILE_APPS, PROFILES, AdminGraph
from mstunnel_setup.tenant.wire_intune import PLAY_APP, MobileApp

_PACKAGE: Final = "packageId"
_SETTINGS: Final = {
    store.IOS_APP: "#microsoft.graph.iosStoreAppAssignmentSettings",
    "#microsoft.graph.iosVppApp": "#microsoft.graph.iosVppAppAssignmentSettings",
    PLAY_APP: "#microsoft.graph.androidManagedStoreAppAssignmentSettings",
}


class _AppKind(FileKind[store.StoreAppObject, store.PresentApp]):
    """Apps from the App Store and managed Google Play, identified by their id in the store."""

    name = "app"
    what = "app"
    section = "apps"
    key = "key"
    collection = MOBILE_APPS
    command = "app"
    head = ("NAME", "PLATFORM", "PACKAGE OR BUNDLE", "ID")
    file = store.StoreAppFile
    empty = frozenset({("assignments",)})

    def judge(
        self, declared: store.StoreAppObject, beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        return store.judge_app(declared, beside.profiles)

    def declared(self, present: store.PresentApp) -> store.StoreAppObject:
        return store.app_object(present)

    def not_declared(self, present: store.PresentApp) -> Iterable[Finding]:
        return store.app_not_declared(present)

    def row(self, present: store.PresentApp) -> tuple[str, ...]:
        platform = "ios" if present.is_ios else "android"
        return present.name, platform, present.found.identifier, present.id

    def changes(self, declared: store.StoreAppObject, planning: Planning) -> Iterator[Change]:
        """Return the changes of an app; assignment settings that a file cannot express are kept.

        Raises TenantError `profile-unknown` if a named VPN profile will not exist, and `name-ambiguous`.
        """
        staying = [item for item in planning.tenant.profiles if item.id not in planning.deleted_ids]
        profiles = [item.name for item in staying if is_for_ios(item.found)]
        known = {name.casefold() for name in (*profiles, *(item.name for item in planning.declared.profiles))}
        for item in declared.assignments:
            if item.vpn_profile and item.vpn_profile.casefold() not in known:
                raise PROFILE_UNKNOWN(name=item.vpn_profile)
        there = only(
            [item for item in planning.tenant.store_apps if item.key == declared.key], self.what, declared.id
        )
        if there is None:
            own = store.app_body(declared) if declared.is_ios else {_PACKAGE: declared.id}
            body = {**own, ASSIGNMENTS: list(store.assignment_bodies(declared))}
            yield Change("create", self.name, declared.name, after=without_empty(body))
            return
        before = {**store.app_body(store.app_object(there)), TYPE: there.found.odata_type}
        differs = differences(before, store.app_body(declared)) if there.has_properties else {}
        assigned, wanted = store.present_assignments(there), store.wanted_assignments(declared, there)
        if not store.same_assignments(assigned, wanted):
            before, differs = {**before, ASSIGNMENTS: assigned}, {**differs, ASSIGNMENTS: wanted}
        yield from update(self.name, there.name, there.id, before, differs)

    def created(self, graph: AdminGraph, of: GraphCollection[Any], body: Body) -> str:
        """Create an app, importing it from managed Google Play if needed."""
        return graph.add_play_app(body[_PACKAGE]) if _PACKAGE in body else super().created(graph, of, body)

    def assigned(self, change: Change, references: References) -> list[Body]:
        """Return the assignments to write.

        VPN profiles are looked up by name at this point, as the same run may have created them.
        """
        assignments = []
        for item in change.after[ASSIGNMENTS]:
            settings = {TYPE: _SETTINGS[change.type or PLAY_APP], **item["settings"]}
            wanted = settings.pop(store.VPN, None)
            if wanted is not None:
                found = references.graph.objects(PROFILES, wanted)
                named = [each for each in found if is_tunnel_profile(each) and is_for_ios(each)]
                profile = only(named, "profile", wanted)
                if profile is None:
                    raise PROFILE_UNKNOWN(name=wanted)
                settings[store.VPN_ID] = profile.id
            assignments.append({**item, TYPE: "#microsoft.graph.mobileAppAssignment", "settings": settings})
        return assignments

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[store.PresentApp]:
        """Return all apps that declarations can describe, or those with this name, id, or store id."""
        found = [
            app
            for app in graph.objects(MOBILE_APPS)
            if name is None
            or name.casefold()
            in {app.id, app.display_name.casefold(), app.identifier.casefold(), store.PresentApp(app).key}
        ]
        return list(read_apps(graph, found, read_profiles(graph)))

    def surroundings(
        self, graph: AdminGraph, declared: store.StoreAppObject, present: Sequence[store.PresentApp]
    ) -> tuple[store.StoreAppObject, TenantObjects]:
        profiles = tuple(read_profiles(graph))
        return declared, TenantObjects(device_configurations=profiles, store_apps=tuple(present))


APP: Final = _AppKind()


def read_apps(
    graph: AdminGraph, apps: Iterable[MobileApp], profiles: Iterable[PresentProfile]
) -> Iterator[store.PresentApp]:
    """Return the apps that declarations can describe, with their assignments."""
    names: Mapping[str, str] = {item.id: item.name for item in profiles if item.is_tunnel}
    for found in apps:
        if store.is_store_app(found):
            yield store.PresentApp(found, tuple(graph.app_assignments(MOBILE_APPS, found.id)), names)
