"""App configurations: on enrolled devices, and of managed apps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from typing_extensions import override

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, Wire, differences, update
from mst_admin.errors import TRUSTED_ROOT_UNKNOWN
from mst_admin.kinds.kind import FileDeclared, FileKind, FilePresent, References, called
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.objects.app import AppPlatform, app_ids
from mst_admin.objects.app_configuration import (
    ANDROID,
    ANDROID_TYPE,
    BUNDLES,
    ENCODED,
    IOS_TYPE,
    LISTS,
    MANAGED,
    MANAGED_TYPE,
    PACKAGES,
    PAYLOAD,
    AppConfigurationFile,
    AppConfigurationObject,
    PresentAppConfiguration,
    app_configuration_body,
    app_configuration_not_declared,
    app_configuration_object,
    is_about_tunnel,
    others_of,
    payload,
)
from mst_admin.objects.app_configuration_rules import judge_app_configuration
from mst_admin.objects.mam import (
    ANDROID_PROTECTION,
    EDGE,
    IOS_PROTECTION,
    ROOTS_KEY,
    SITE_KEY,
    TUNNEL,
    root_entries,
    root_names,
)
from mst_admin.objects.parts import target_of, targets, wanted_targets, without_empty
from mst_admin.objects.profile_wire import ROOT_PLATFORMS
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph import GraphCollection, is_guid
from mstunnel_setup.tenant.graph_admin import (
    ANDROID_PROTECTIONS,
    DEVICE_APP_CONFIGURATIONS,
    IOS_PROTECTIONS,
    MANAGED_APP_CONFIGURATIONS,
    MOBILE_APPS,
    PROFILES,
    AdminGraph,
)
from mstunnel_setup.tenant.wire import IntuneObject
from mstunnel_setup.tenant.wire_apps import MobileApp

_COLLECTIONS: Final[Mapping[str, GraphCollection[IntuneObject]]] = {
    IOS_TYPE: DEVICE_APP_CONFIGURATIONS,
    ANDROID_TYPE: DEVICE_APP_CONFIGURATIONS,
    MANAGED_TYPE: MANAGED_APP_CONFIGURATIONS,
    ANDROID_PROTECTION: ANDROID_PROTECTIONS,
    IOS_PROTECTION: IOS_PROTECTIONS,
}
_IDENTIFIERS: Final = {
    PACKAGES: ("#microsoft.graph.androidMobileAppIdentifier", "packageId"),
    BUNDLES: ("#microsoft.graph.iosMobileAppIdentifier", "bundleId"),
}


class AppPolicyKind(FileKind[FileDeclared, FilePresent]):
    """How app configurations and app protection policies are written: apps and assignments separately."""

    def properties(self, change: Change, kind: str, references: References) -> Body:  # noqa: ARG002 (for those with references)
        """The properties to write; `kind` is the type of the policy."""
        apart = {ASSIGNMENTS, PACKAGES, BUNDLES}
        return {name: value for name, value in change.after.items() if name not in apart}

    @override
    def create(self, change: Change, references: References) -> None:
        kind = change.after[TYPE]
        body = self.properties(change, kind, references)
        created = references.graph.create(_COLLECTIONS[kind], body)
        self._complete(change, created.id, kind, references.graph)

    @override
    def update(self, change: Change, references: References) -> None:
        kind = change.before[TYPE]
        if body := self.properties(change, kind, references):
            changed = {**body, TYPE: kind}
            references.graph.update(_COLLECTIONS[kind], change.identifier, changed)
        self._complete(change, change.identifier, kind, references.graph)

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete(_COLLECTIONS[change.before[TYPE]], change.identifier)

    def _complete(self, change: Change, identifier: str, kind: str, graph: AdminGraph) -> None:
        """Write what Graph changes through separate actions."""
        of = _COLLECTIONS[kind]
        # A new app configuration was created with its apps.
        apart = of is DEVICE_APP_CONFIGURATIONS or (kind == MANAGED_TYPE and change.verb == "create")
        if not apart and (apps := _managed_apps(change.after)):
            graph.target_apps(of, identifier, apps)
        if ASSIGNMENTS in change.after:
            assigned = [{"target": dict(item)} for item in change.after[ASSIGNMENTS]]
            graph.assign(of, identifier, assigned)


class AppConfigurationKind(AppPolicyKind[AppConfigurationObject, PresentAppConfiguration]):
    """App configurations: settings that Defender and other apps receive."""

    name = "app configuration"
    what = label = text("app configuration")
    section = "app_configurations"
    command = "app-config"
    result = "app_configuration"
    head = ("NAME", "CHANNEL", "PLATFORM", "ID")
    file = AppConfigurationFile
    empty = frozenset({("settings",), ("groups",)})
    documents = "app-config"

    @override
    def judge(
        self, declared: AppConfigurationObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_app_configuration(declared, beside.profiles)

    @override
    def present(self, tenant: TenantObjects) -> Sequence[PresentAppConfiguration]:
        return tenant.tunnel_configurations

    @override
    def declared(self, present: PresentAppConfiguration) -> AppConfigurationObject:
        return app_configuration_object(present)

    @override
    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:
        for item in tenant.tunnel_configurations:
            yield from app_configuration_not_declared(item)

    @override
    def changes(self, declared: AppConfigurationObject, planning: Planning) -> Iterator[Change]:
        """Raises TenantError `app-missing` unless the app that enrolled devices configure will be there."""
        apps, is_ios = planning.tenant.mobile_apps, declared.is_ios
        new = {app.key for app in planning.declared.apps}
        for name in declared.apps if declared.on_devices else ():
            key = f"{AppPlatform.IOS if is_ios else AppPlatform.ANDROID}:{name}".casefold()
            if key not in new and not app_ids(apps, name, is_ios=is_ios):
                raise TenantError(
                    "app-missing",
                    "the tenant has no {platform} app {app}",
                    hint=(
                        "Add it with `mst-admin app create`, declare it below `apps`, or add it in the admin "
                        "center."
                    ),
                    platform="iOS" if is_ios else "Android",
                    app=name,
                )
        yield from app_configuration_changes(declared, planning.tenant.app_configurations)

    @override
    def deleting(self, present: PresentAppConfiguration, tenant: TenantObjects) -> Iterator[Change]:
        yield app_configuration_deletion(present)

    @override
    def kept(self, planning: Planning) -> set[str]:
        """Those of Tunnel for MAM that is declared stay, too."""
        of_mam = (f"{mam.name}{ending}" for mam in planning.declared.mam for ending in (TUNNEL, EDGE))
        return super().kept(planning) | set(map(str.casefold, of_mam))

    @override
    def properties(self, change: Change, kind: str, references: References) -> Body:
        """Apps by their ids in the tenant, the settings of Android encoded."""
        body = super().properties(change, kind, references)
        if ANDROID in body:
            packages = change.after.get(PACKAGES) or change.before[PACKAGES]
            body[PAYLOAD] = payload(packages[0], body.pop(ANDROID))
        names = [*change.after.get(PACKAGES, ()), *change.after.get(BUNDLES, ())]
        if kind == MANAGED_TYPE:
            if MANAGED in body:
                body[MANAGED] = [_looked_up(item, references) for item in body[MANAGED]]
            if change.verb == "create":
                body |= {"targetedAppManagementLevels": "unspecified", "appGroupType": "selectedPublicApps"}
                body["apps"] = _managed_apps(change.after)
        elif names:
            apps, is_ios = references.graph.objects(MOBILE_APPS), BUNDLES in change.after
            ids = [identifier for name in names for identifier in app_ids(apps, name, is_ios=is_ios)]
            body |= {"targetedMobileApps": ids} | ({} if is_ios else {"packageId": f"app:{names[0]}"})
        return body

    @override
    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[PresentAppConfiguration]:
        found = read_app_configurations(graph, graph.objects(MOBILE_APPS), wanted)
        return [item for item in found if wanted or is_about_tunnel(item)]

    @override
    def row(self, present: PresentAppConfiguration) -> tuple[str, ...]:
        return present.name, present.channel, present.declared.platform, present.id

    @override
    def surroundings(
        self, graph: AdminGraph, declared: AppConfigurationObject, present: Sequence[PresentAppConfiguration]
    ) -> tuple[AppConfigurationObject, TenantObjects]:
        return declared, TenantObjects(
            profiles=tuple(read_profiles(graph)),
            mobile_apps=tuple(graph.objects(MOBILE_APPS)),
            app_configurations=tuple(present),
        )


APP_CONFIGURATION = AppConfigurationKind()


def read_app_configurations(
    graph: AdminGraph, apps: Sequence[MobileApp], wanted: str = ""
) -> Iterator[PresentAppConfiguration]:
    """The app configurations of both channels, or those with the name or id `wanted`.

    `apps` are those of the tenant.
    """

    def is_wanted(found: IntuneObject) -> bool:
        return not wanted or wanted.casefold() in {found.id.casefold(), found.display_name.casefold()}

    known = {app.id: app.identifier for app in apps}
    for found in graph.objects(DEVICE_APP_CONFIGURATIONS):
        if found.odata_type in {IOS_TYPE, ANDROID_TYPE} and is_wanted(found):
            assignments = graph.app_assignments(DEVICE_APP_CONFIGURATIONS, found.id)
            package = str((found.model_extra or {}).get("packageId") or "").removeprefix("app:")
            names = {package} if package else {known.get(item) or item for item in found.targeted_mobile_apps}
            yield PresentAppConfiguration(
                found, found.odata_type == IOS_TYPE, tuple(sorted(names)), tuple(assignments)
            )
    for policy in graph.objects(MANAGED_APP_CONFIGURATIONS):
        if is_wanted(policy):
            targeted = graph.targeted_apps(MANAGED_APP_CONFIGURATIONS, policy.id)
            assignments = graph.app_assignments(MANAGED_APP_CONFIGURATIONS, policy.id)
            is_ios = any("bundleId" in item.mobile_app_identifier for item in targeted)
            identifiers = tuple(sorted(item.identifier for item in targeted))
            yield PresentAppConfiguration(policy, is_ios, identifiers, tuple(assignments))


def app_configuration_changes(
    declared: AppConfigurationObject, present: Iterable[PresentAppConfiguration]
) -> Iterator[Change]:
    """What makes the tenant's app configuration as declared; what a file cannot say of it stays.

    Raises TenantError: `name-ambiguous`, `app-configuration-fixed`.
    """
    found = called(declared.name, present, "app configuration")
    if found is None:
        body = {**app_configuration_body(declared), ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "app configuration", declared.name, after=without_empty(body))
        return
    there = app_configuration_object(found)
    if (found.channel, found.is_ios) != (declared.channel, declared.is_ios):
        raise TenantError(
            "app-configuration-fixed",
            "the app configuration {name} in the tenant is for {channel} on {platform}",
            hint=(
                "Use another name: channel and operating system of an app configuration cannot be changed."
            ),
            name=declared.name,
            channel=found.channel,
            platform=there.platform,
        )
    others = others_of(found)
    before = app_configuration_body(there, others)
    if ENCODED in before:
        before[ENCODED] = found.wire.get(ENCODED)
    before[ASSIGNMENTS] = [target_of(item) for item in found.assignments]
    body = app_configuration_body(declared, others)
    body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
    differs = differences(before, body)
    # Unlike elsewhere, in settings false and 0 are not the same as nothing.
    differs |= {name: body[name] for name in LISTS if name in body and body[name] != before[name]}
    yield from update("app configuration", found.name, found.id, before, differs, also=(PACKAGES,))


def app_configuration_deletion(present: PresentAppConfiguration) -> Change:
    """What deletes an app configuration."""
    kind = app_configuration_body(present.declared)[TYPE]
    return Change("delete", "app configuration", present.name, present.id, before={TYPE: kind})


def _managed_apps(after: Wire) -> list[Body]:
    """The apps that a policy for managed apps is about."""
    return [
        {"mobileAppIdentifier": {TYPE: kind, key: name}}
        for names, (kind, key) in _IDENTIFIERS.items()
        for name in after.get(names, ())
    ]


def _looked_up(entry: Wire, references: References) -> Body:
    """A setting of the tunnel, with what was to be created before it looked up by its name."""
    if entry["name"] == SITE_KEY and not is_guid(entry["value"]):
        return {**entry, "value": references.site_id(entry["value"])}
    if entry["name"] == ROOTS_KEY and (names := root_names(entry["value"])):
        roots = []
        for name in names:
            found = [
                item for item in references.graph.objects(PROFILES, name) if item.odata_type in ROOT_PLATFORMS
            ]
            if not found:
                raise TRUSTED_ROOT_UNKNOWN(name=name)
            roots.append(found[0])
        return {**entry, "value": root_entries(roots)}
    return dict(entry)
