"""App configurations for enrolled devices and for managed apps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, Wire, differences, update
from mst_admin.errors import APP_MISSING, TRUSTED_ROOT_UNKNOWN
from mst_admin.kinds.kind import FileDeclared, FileKind, References
from mst_admin.kinds.lookup import FilePresent, called
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.kinds.tunnel import SITE
from mst_admin.objects import app_configuration as policies
from mst_admin.objects import mam
from mst_admin.objects.app import AppPlatform, app_ids
from mst_admin.objects.app_configuration_rules import judge_app_configuration
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
from mstunnel_setup.tenant.wire_intune import IntuneObject, MobileApp

_COLLECTIONS: Final[Mapping[str, GraphCollection[IntuneObject]]] = {
    policies.IOS_TYPE: DEVICE_APP_CONFIGURATIONS,
    policies.ANDROID_TYPE: DEVICE_APP_CONFIGURATIONS,
    policies.MANAGED_TYPE: MANAGED_APP_CONFIGURATIONS,
    mam.ANDROID_PROTECTION: ANDROID_PROTECTIONS,
    mam.IOS_PROTECTION: IOS_PROTECTIONS,
}
_IDENTIFIERS: Final = {
    policies.PACKAGES: ("#microsoft.graph.androidMobileAppIdentifier", "packageId"),
    policies.BUNDLES: ("#microsoft.graph.iosMobileAppIdentifier", "bundleId"),
}


class AppPolicyKind(FileKind[FileDeclared, FilePresent]):
    """Base of app policies, whose apps and assignments are written by separate requests."""

    def collection_of(self, change: Change) -> GraphCollection[Any]:
        """Return the Graph collection for the type of the policy."""
        return _COLLECTIONS[change.type]

    def properties(self, change: Change, references: References) -> Body:
        """Return the properties to write, without apps."""
        body = super().properties(change, references)
        return {
            name: value for name, value in body.items() if name not in {policies.PACKAGES, policies.BUNDLES}
        }

    def complete(self, change: Change, identifier: str, references: References) -> None:
        """Write the policy's apps, then its assignments.

        No apps are written for an app configuration that has them in its body: for devices, or new.
        """
        of, is_new = self.collection_of(change), change.verb == "create"
        apart = of is DEVICE_APP_CONFIGURATIONS or (change.type == policies.MANAGED_TYPE and is_new)
        if not apart and (apps := _managed_apps(change.after)):
            references.graph.target_apps(of, identifier, apps)
        super().complete(change, identifier, references)


class _AppConfigurationKind(AppPolicyKind[policies.AppConfigurationObject, policies.PresentAppConfiguration]):
    """App configurations, the settings that Defender and other apps receive."""

    name = "app configuration"
    what = text("app configuration")
    section = "app_configurations"
    collection = DEVICE_APP_CONFIGURATIONS
    command = "app-config"
    head = ("NAME", "CHANNEL", "PLATFORM", "ID")
    file = policies.AppConfigurationFile
    empty = frozenset({("settings",), ("groups",)})

    def judge(
        self, declared: policies.AppConfigurationObject, beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        return judge_app_configuration(declared, beside.profiles)

    def declared(self, present: policies.PresentAppConfiguration) -> policies.AppConfigurationObject:
        return policies.app_configuration_object(present)

    def not_declared(self, present: policies.PresentAppConfiguration) -> Iterable[Finding]:
        return policies.app_configuration_not_declared(present)

    def row(self, present: policies.PresentAppConfiguration) -> tuple[str, ...]:
        return present.name, present.channel, present.declared.platform, present.id

    def changes(self, declared: policies.AppConfigurationObject, planning: Planning) -> Iterator[Change]:
        """Return the changes of an app configuration.

        Raises TenantError `app-missing` if an app to configure on enrolled devices will not exist.
        """
        apps, is_ios = planning.tenant.mobile_apps, declared.is_ios
        new = {app.key for app in planning.declared.apps}
        for name in declared.apps if declared.on_devices else ():
            key = f"{AppPlatform.IOS if is_ios else AppPlatform.ANDROID}:{name}".casefold()
            if key not in new and not app_ids(apps, name, is_ios=is_ios):
                raise APP_MISSING(platform="iOS" if is_ios else "Android", app=name)
        yield from app_configuration_changes(declared, planning.tenant.app_policies)

    def changes_to_delete(
        self, present: policies.PresentAppConfiguration, _tenant: TenantObjects
    ) -> Iterator[Change]:
        yield app_configuration_deletion(present)

    def kept(self, planning: Planning) -> set[str]:
        """Return the names to keep, including the configurations of declared Tunnel for MAM objects."""
        endings = mam.TUNNEL, mam.EDGE
        of_mam = (f"{item.name}{ending}" for item in planning.declared.mam for ending in endings)
        return super().kept(planning) | set(map(str.casefold, of_mam))

    def properties(self, change: Change, references: References) -> Body:
        """Return the properties to write, with apps by tenant id and the settings of Android encoded."""
        body = super().properties(change, references)
        if policies.ANDROID in body:
            packages = change.after.get(policies.PACKAGES) or change.before[policies.PACKAGES]
            body[policies.PAYLOAD] = policies.payload(packages[0], body.pop(policies.ANDROID))
        names = [*change.after.get(policies.PACKAGES, ()), *change.after.get(policies.BUNDLES, ())]
        if change.type == policies.MANAGED_TYPE:
            if policies.MANAGED in body:
                body[policies.MANAGED] = [_looked_up(item, references) for item in body[policies.MANAGED]]
            if change.verb == "create":
                body |= {"targetedAppManagementLevels": "unspecified", "appGroupType": "selectedPublicApps"}
                body["apps"] = _managed_apps(change.after)
        elif names:
            apps, is_ios = references.graph.objects(MOBILE_APPS), policies.BUNDLES in change.after
            ids = []
            for name in names:
                found = app_ids(apps, name, is_ios=is_ios)
                if not found:
                    # The change that creates it may wait for an approval.
                    raise APP_MISSING(platform="iOS" if is_ios else "Android", app=name)
                ids += found
            body |= {"targetedMobileApps": ids} | ({} if is_ios else {"packageId": f"app:{names[0]}"})
        return body

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[policies.PresentAppConfiguration]:
        found = read_app_configurations(graph, graph.objects(MOBILE_APPS), name)
        return [item for item in found if name is not None or policies.is_about_tunnel(item)]

    def surroundings(
        self,
        graph: AdminGraph,
        declared: policies.AppConfigurationObject,
        present: Sequence[policies.PresentAppConfiguration],
    ) -> tuple[policies.AppConfigurationObject, TenantObjects]:
        return declared, TenantObjects(
            device_configurations=tuple(read_profiles(graph)),
            mobile_apps=tuple(graph.objects(MOBILE_APPS)),
            app_policies=tuple(present),
        )


APP_CONFIGURATION: Final = _AppConfigurationKind()


def read_app_configurations(
    graph: AdminGraph, apps: Sequence[MobileApp], wanted: str | None = None
) -> Iterator[policies.PresentAppConfiguration]:
    """Read the app configurations of both channels, or those with the name or id `wanted`.

    `apps` has the apps of the tenant.
    """

    def is_wanted(found: IntuneObject) -> bool:
        return wanted is None or wanted.casefold() in {found.id.casefold(), found.display_name.casefold()}

    known = {app.id: app.identifier for app in apps}
    for found in graph.objects(DEVICE_APP_CONFIGURATIONS):
        if found.odata_type in {policies.IOS_TYPE, policies.ANDROID_TYPE} and is_wanted(found):
            assignments = graph.app_assignments(DEVICE_APP_CONFIGURATIONS, found.id)
            package = str((found.model_extra or {}).get("packageId") or "").removeprefix("app:")
            names = {package} if package else {known.get(item) or item for item in found.targeted_mobile_apps}
            yield policies.PresentAppConfiguration(
                found, found.odata_type == policies.IOS_TYPE, tuple(sorted(names)), tuple(assignments)
            )
    for policy in graph.objects(MANAGED_APP_CONFIGURATIONS):
        if is_wanted(policy):
            targeted = graph.targeted_apps(MANAGED_APP_CONFIGURATIONS, policy.id)
            assignments = graph.app_assignments(MANAGED_APP_CONFIGURATIONS, policy.id)
            is_ios = any("bundleId" in item.mobile_app_identifier for item in targeted)
            identifiers = tuple(sorted(item.identifier for item in targeted))
            yield policies.PresentAppConfiguration(policy, is_ios, identifiers, tuple(assignments))


def app_configuration_changes(
    declared: policies.AppConfigurationObject, present: Iterable[policies.PresentAppConfiguration]
) -> Iterator[Change]:
    """Return the changes of an app configuration; settings that a file cannot express are kept.

    Raises TenantError: `name-ambiguous`, `app-configuration-fixed`.
    """
    declared = policies.as_written(declared)
    found = called(declared.name, present, "app configuration")
    if found is None:
        body = {**policies.app_configuration_body(declared), ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "app configuration", declared.name, after=without_empty(body))
        return
    there = policies.app_configuration_object(found)
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
    others = policies.others_of(found)
    before = {
        **policies.app_configuration_body(there, others),
        policies.ENCODED: found.wire.get(policies.ENCODED),
        ASSIGNMENTS: [target_of(item) for item in found.assignments],
    }
    body = policies.app_configuration_body(declared, others)
    body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
    differs = differences(before, body)
    # In settings, unlike in other properties, false and 0 differ from an unset value.
    differs |= {name: body[name] for name in policies.LISTS if name in body and body[name] != before[name]}
    yield from update("app configuration", found.name, found.id, before, differs, also=(policies.PACKAGES,))


def app_configuration_deletion(present: policies.PresentAppConfiguration) -> Change:
    """Return the change that deletes an app configuration."""
    kind = policies.app_configuration_body(present.declared)[TYPE]
    return Change("delete", "app configuration", present.name, present.id, before={TYPE: kind})


def _managed_apps(after: Wire) -> list[Body]:
    """Return the apps that a policy for managed apps targets."""
    return [
        {"mobileAppIdentifier": {TYPE: kind, key: name}}
        for names, (kind, key) in _IDENTIFIERS.items()
        for name in after.get(names, ())
    ]


def _looked_up(entry: Wire, references: References) -> Body:
    """Return a tunnel setting, with names of newly created objects replaced by their values."""
    if entry["name"] == mam.SITE_KEY and not is_guid(entry["value"]):
        return {**entry, "value": references.id_of(SITE, entry["value"])}
    if entry["name"] == mam.ROOTS_KEY and (names := mam.root_names(entry["value"])):
        roots = []
        for name in names:
            found = [
                item for item in references.graph.objects(PROFILES, name) if item.odata_type in ROOT_PLATFORMS
            ]
            if not found:
                raise TRUSTED_ROOT_UNKNOWN(name=name)
            roots.append(found[0])
        return {**entry, "value": mam.root_entries(roots)}
    return dict(entry)
