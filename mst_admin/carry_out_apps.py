"""Reading and changing what a tenant has about apps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, Wire
from mst_admin.errors import TRUSTED_ROOT_UNKNOWN
from mst_admin.objects.app import app_ids
from mst_admin.objects.app_configuration import (
    ANDROID,
    ANDROID_TYPE,
    BUNDLES,
    IOS_TYPE,
    MANAGED,
    MANAGED_TYPE,
    PACKAGES,
    PAYLOAD,
    PresentAppConfiguration,
    payload,
)
from mst_admin.objects.mam import ROOTS_KEY, SITE_KEY, root_entries, root_names
from mst_admin.objects.profile_wire import ROOT_TYPES
from mst_admin.references import References
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.graph_apps import (
    DEVICE_APP_CONFIGURATIONS,
    MANAGED_APP_CONFIGURATIONS,
    MOBILE_APPS,
    AppCollection,
)
from mstunnel_setup.tenant.wire import DeviceConfiguration, IntuneObject
from mstunnel_setup.tenant.wire_apps import MobileApp, MobileAppConfiguration

_IDENTIFIERS: Final = {
    PACKAGES: ("#microsoft.graph.androidMobileAppIdentifier", "packageId"),
    BUNDLES: ("#microsoft.graph.iosMobileAppIdentifier", "bundleId"),
}

_COLLECTIONS: Final[Mapping[str, AppCollection[IntuneObject]]] = {
    IOS_TYPE: DEVICE_APP_CONFIGURATIONS,
    ANDROID_TYPE: DEVICE_APP_CONFIGURATIONS,
    MANAGED_TYPE: MANAGED_APP_CONFIGURATIONS,
}


def read_app_configurations(
    graph: AdminGraph, apps: Sequence[MobileApp], wanted: str = ""
) -> Iterator[PresentAppConfiguration]:
    """The app configurations of both channels, or those with the name or id `wanted`.

    `apps` are those of the tenant.
    """
    for found in graph.app_objects(DEVICE_APP_CONFIGURATIONS):
        if found.odata_type in {IOS_TYPE, ANDROID_TYPE} and _is_wanted(found, wanted):
            assigned = graph.app_assignments(DEVICE_APP_CONFIGURATIONS, found.id)
            names = tuple(sorted(set(_configured_apps(found, apps))))
            yield PresentAppConfiguration(found, found.odata_type == IOS_TYPE, names, tuple(assigned))
    for policy in graph.app_objects(MANAGED_APP_CONFIGURATIONS):
        if _is_wanted(policy, wanted):
            targeted = graph.targeted_apps(MANAGED_APP_CONFIGURATIONS, policy.id)
            assigned = graph.app_assignments(MANAGED_APP_CONFIGURATIONS, policy.id)
            is_ios = any("bundleId" in item.mobile_app_identifier for item in targeted)
            names = tuple(sorted(item.identifier for item in targeted))
            yield PresentAppConfiguration(policy, is_ios, names, tuple(assigned))


def create_app_configuration(change: Change, references: References) -> None:
    """Create an app configuration and assign it."""
    graph = references.graph
    of = _COLLECTIONS[change.after[TYPE]]
    body = _body(change, change.after[TYPE], references)
    if of is MANAGED_APP_CONFIGURATIONS:
        body |= {"targetedAppManagementLevels": "unspecified", "appGroupType": "selectedPublicApps"}
        body["apps"] = managed_apps(change.after)
    created = graph.create_app_object(of, body)
    graph.assign_app_object(of, created.id, _assigned(change))


def update_app_configuration(change: Change, references: References) -> None:
    """Change what differs of an app configuration."""
    graph = references.graph
    of = _COLLECTIONS[change.before[TYPE]]
    body = _body(change, change.before[TYPE], references)
    if of is MANAGED_APP_CONFIGURATIONS and (apps := managed_apps(change.after)):
        graph.target_apps(of, change.identifier, apps)
    if body.keys() - {TYPE}:
        graph.update_app_object(of, change.identifier, body)
    if ASSIGNMENTS in change.after:
        graph.assign_app_object(of, change.identifier, _assigned(change))


def delete_app_configuration(change: Change, graph: AdminGraph) -> None:
    """Delete an app configuration."""
    graph.delete_app_object(_COLLECTIONS[change.before[TYPE]], change.identifier)


def _body(change: Change, kind: str, references: References) -> Body:
    """The properties to write: apps by their ids in the tenant, the settings of Android encoded."""
    apart = {ASSIGNMENTS, PACKAGES, BUNDLES, ANDROID}
    body = {name: value for name, value in change.after.items() if name not in apart}
    if ANDROID in change.after:
        packages = change.after.get(PACKAGES) or change.before[PACKAGES]
        body[PAYLOAD] = payload(packages[0], change.after[ANDROID])
    if kind != MANAGED_TYPE:
        body |= _device_apps(change.after, references.graph)
    elif MANAGED in body:
        body[MANAGED] = [_looked_up(item, references) for item in body[MANAGED]]
    return {TYPE: kind, **body}


def _looked_up(entry: Wire, references: References) -> Body:
    """A setting of the tunnel, with what was to be created before it looked up by its name."""
    if entry["name"] == SITE_KEY and not is_guid(entry["value"]):
        return {**entry, "value": references.site_id(entry["value"])}
    if entry["name"] == ROOTS_KEY and (names := root_names(entry["value"])):
        return {**entry, "value": root_entries(_roots(names, references.graph))}
    return dict(entry)


def _roots(names: Sequence[str], graph: AdminGraph) -> Iterator[DeviceConfiguration]:
    for name in names:
        found = [item for item in graph.profiles(name) if item.odata_type in ROOT_TYPES]
        if not found:
            raise TRUSTED_ROOT_UNKNOWN(name=name)
        yield found[0]


def _device_apps(after: Wire, graph: AdminGraph) -> Body:
    """The apps of enrolled devices."""
    names = [*after.get(PACKAGES, ()), *after.get(BUNDLES, ())]
    if not names:
        return {}
    apps, is_ios = graph.app_objects(MOBILE_APPS), BUNDLES in after
    ids = [identifier for name in names for identifier in app_ids(apps, name, is_ios=is_ios)]
    package = {} if is_ios else {"packageId": f"app:{names[0]}"}
    return {"targetedMobileApps": ids, **package}


def managed_apps(after: Wire) -> list[Body]:
    """The apps that a policy for managed apps is about."""
    return [
        {"mobileAppIdentifier": {TYPE: kind, key: name}}
        for names, (kind, key) in _IDENTIFIERS.items()
        for name in after.get(names, ())
    ]


def _assigned(change: Change) -> list[Body]:
    return [{"target": dict(item)} for item in change.after[ASSIGNMENTS]]


def _configured_apps(found: MobileAppConfiguration, apps: Sequence[MobileApp]) -> Iterator[str]:
    """The ids in the store of the apps that a configuration for enrolled devices is for."""
    package = str((found.model_extra or {}).get("packageId") or "")
    if package:
        yield package.removeprefix("app:")
        return
    known = {app.id: app.identifier for app in apps}
    yield from (known.get(identifier) or identifier for identifier in found.targeted_mobile_apps)


def _is_wanted(found: IntuneObject, wanted: str) -> bool:
    return not wanted or wanted.casefold() in {found.id.casefold(), found.display_name.casefold()}
