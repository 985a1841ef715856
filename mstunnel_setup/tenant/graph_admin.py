"""What the administrator's tools ask of a tenant beyond what the installer needs.

Paths, methods and permissions: docs/reference/mst-admin.md. Bodies are wire documents that hold only what is
to be written, because null has a meaning there: it clears a property.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import plain
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.graph import (
    ID_MALFORMED,
    LARGEST_PAGE,
    SITES,
    THRESHOLDS,
    Graph,
    guid,
    read_entity,
    server_path,
)
from mstunnel_setup.tenant.transport import equals, query
from mstunnel_setup.tenant.wire import (
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
    GATEWAY_APP_ID,
    POLICY_CHANGE,
    POLICY_READ,
    USER_READ_BASIC,
    ConditionalAccessPolicy,
    DeviceConfiguration,
    DeviceConfigurationAssignment,
    HealthThreshold,
    IntuneObject,
    MetricPoint,
    MetricValue,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    User,
    WhatIfResult,
)
from mstunnel_setup.tenant.wire_apps import (
    PLAY_APP,
    AndroidManagedAppProtection,
    AppAssignment,
    IosManagedAppProtection,
    ManagedMobileApp,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

Body: TypeAlias = Mapping[str, object]
Item = TypeVar("Item", bound=IntuneObject)
Item_co = TypeVar("Item_co", bound=IntuneObject, covariant=True)
_APP_ID: Final = re.compile(r"([A-Z]_)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ROOT: Final = "/deviceAppManagement"
_PLAY: Final = "/deviceManagement/androidManagedStoreAccountEnterpriseSettings"
_SYNCHRONISATION_SECONDS: Final = 120.0
_SYNCHRONISATION_PAUSE: Final = 5.0


@dataclass(frozen=True)
class AppCollection(Generic[Item_co]):
    """One collection of Graph; `assignments` is how the body of its action `assign` calls them."""

    segment: str
    model: type[Item_co]
    assignments: str = "assignments"

    def path(self, identifier: str = "", more: str = "") -> str:
        """The path of the collection, or of what lies below one of its objects.

        An id is a GUID, for managed apps after a letter and `_`: nothing else may become part of a path.
        """
        if identifier and not _APP_ID.fullmatch(identifier):
            raise ID_MALFORMED(text=plain(identifier, 80))
        below = f"/{identifier}" if identifier else ""
        return f"{_ROOT}/{self.segment}{below}{more}"


MOBILE_APPS: Final = AppCollection("mobileApps", MobileApp, "mobileAppAssignments")
DEVICE_APP_CONFIGURATIONS: Final = AppCollection("mobileAppConfigurations", MobileAppConfiguration)
MANAGED_APP_CONFIGURATIONS: Final = AppCollection(
    "targetedManagedAppConfigurations", TargetedManagedAppConfiguration
)
ANDROID_PROTECTIONS: Final = AppCollection("androidManagedAppProtections", AndroidManagedAppProtection)
IOS_PROTECTIONS: Final = AppCollection("iosManagedAppProtections", IosManagedAppProtection)


_CONFIGURATIONS: Final = "/deviceManagement/microsoftTunnelConfigurations"
_SERVERS: Final = "microsoftTunnelServers"
_POLICIES: Final = "/identity/conditionalAccess/policies"
_PROFILES: Final = "/deviceManagement/deviceConfigurations"
_METRIC: Final = re.compile(r"[A-Za-z0-9_-]+")


class AdminGraph(Graph):
    """Microsoft Graph of one tenant, with everything an administrator changes there."""

    def configurations(self, name: str | None = None) -> list[TunnelConfiguration]:
        """Return all server configurations, or those called `name`; names are not unique."""
        return self._list(TunnelConfiguration, _CONFIGURATIONS + _named(name), CONFIGURATION_READ)

    def configuration(self, identifier: str) -> TunnelConfiguration | None:
        """Return the server configuration with this id."""
        return self._find(TunnelConfiguration, f"{_CONFIGURATIONS}/{guid(identifier)}", CONFIGURATION_READ)

    def create_configuration(self, body: Body) -> TunnelConfiguration:
        """Create a server configuration and return it with its id."""
        return read_entity(TunnelConfiguration, self._post(_CONFIGURATIONS, body))

    def update_configuration(self, identifier: str, changes: Body) -> None:
        """Change the properties in `changes`."""
        self._patch(f"{_CONFIGURATIONS}/{guid(identifier)}", changes)

    def delete_configuration(self, identifier: str) -> bool:
        """Delete a server configuration; False when there was none. A site's is a TenantError `conflict`."""
        return self._delete(f"{_CONFIGURATIONS}/{guid(identifier)}", CONFIGURATION_READ_WRITE)

    def site_list(self, name: str | None = None, properties: Sequence[str] = ()) -> list[TunnelSite]:
        """Return all sites, or those called `name`, with their server configurations.

        With `properties` (wire names) only these are fetched, and no configuration: for long lists.
        """
        links = {} if properties else {"expand": "microsoftTunnelConfiguration"}
        wanted = {"select": ",".join(properties)} if properties else {}
        return self._list(TunnelSite, SITES + _named(name, **links, **wanted), CONFIGURATION_READ)

    def all_servers(self) -> Iterator[tuple[TunnelSite, TunnelServer]]:
        """Yield the servers of all sites, each with its site: one request for each page of sites."""
        path = SITES + query(expand=_SERVERS, top=LARGEST_PAGE)
        for document in self._transport.pages(path, needs=CONFIGURATION_READ):
            site = read_entity(TunnelSite, document)
            for found in self._transport.expanded(document, _SERVERS, needs=CONFIGURATION_READ):
                yield site, read_entity(TunnelServer, found)

    def metrics(self, site_id: str, server_id: str, names: Iterable[str]) -> dict[str, int]:
        """Return the last values of health metrics of a server; those it has not reported are left out."""
        path = f"{server_path(site_id, server_id)}/getHealthMetrics"
        found = self._transport.called(path, {"metricNames": [*names]}, needs=CONFIGURATION_READ)
        return {item.name: item.value for item in (read_entity(MetricValue, each) for each in found)}

    def trend(
        self, site_id: str, server_id: str, name: str, start: datetime, end: datetime
    ) -> list[MetricPoint]:
        """Return a health metric of a server over time, in the order that Graph has it."""
        path = f"{server_path(site_id, server_id)}/getHealthMetricTimeSeries"
        times = {"startDateTime": start.isoformat(), "endDateTime": end.isoformat()}
        body = {"metricName": name, **times}
        found = self._transport.called(path, body, needs=CONFIGURATION_READ)
        return [read_entity(MetricPoint, each) for each in found]

    def create_site(self, body: Body, configuration_id: str) -> TunnelSite:
        """Create a site with a server configuration and return it with its id."""
        return read_entity(TunnelSite, self._post(SITES, {**body, **_reference(configuration_id)}))

    def update_site(self, site_id: str, changes: Body, configuration_id: str = "") -> None:
        """Change the properties in `changes`, and the server configuration when one is named."""
        reference = _reference(configuration_id) if configuration_id else {}
        self._patch(f"{SITES}/{guid(site_id)}", {**changes, **reference})

    def delete_site(self, site_id: str) -> bool:
        """Delete a site; False when there was none. One that has servers is a TenantError `conflict`."""
        return self._delete(f"{SITES}/{guid(site_id)}", CONFIGURATION_READ_WRITE)

    def request_upgrade(self, site_id: str) -> None:
        """Approve the upgrade of a site's servers. It cannot be undone."""
        self._post(f"{SITES}/{guid(site_id)}/requestUpgrade")

    def rename_server(self, site_id: str, server_id: str, name: str) -> None:
        """Give a server another name."""
        self.update_server(site_id, server_id, TunnelServer(display_name=name))

    def create_threshold(self, body: Body) -> HealthThreshold:
        """Set thresholds of a metric that has none; `id` in the body names the metric.

        Raises TenantError `metric-malformed` for a name by which they could not be changed or deleted.
        """
        named = {**body, "id": _metric(str(body["id"]))}
        return read_entity(HealthThreshold, self._post(THRESHOLDS, named))

    def update_threshold(self, metric: str, changes: Body) -> None:
        """Change the thresholds of a metric."""
        self._patch(f"{THRESHOLDS}/{_metric(metric)}", changes)

    def delete_threshold(self, metric: str) -> bool:
        """Delete the thresholds of a metric; False when there were none."""
        return self._delete(f"{THRESHOLDS}/{_metric(metric)}", CONFIGURATION_READ_WRITE)

    def profiles(self, name: str | None = None) -> list[DeviceConfiguration]:
        """Return all device configurations of any type, or those called `name`."""
        return self._list(DeviceConfiguration, _PROFILES + _named(name), CONFIGURATION_READ)

    def profile(self, identifier: str) -> DeviceConfiguration | None:
        """Return the device configuration with this id."""
        return self._find(DeviceConfiguration, f"{_PROFILES}/{guid(identifier)}", CONFIGURATION_READ)

    def create_profile(self, body: Body) -> DeviceConfiguration:
        """Create a device configuration; `@odata.type` in the body says of which type."""
        return read_entity(DeviceConfiguration, self._post(_PROFILES, body))

    def update_profile(self, identifier: str, changes: Body) -> None:
        """Change the properties in `changes`, which also names the `@odata.type`."""
        self._patch(f"{_PROFILES}/{guid(identifier)}", changes)

    def delete_profile(self, identifier: str) -> bool:
        """Delete a device configuration; False when there was none."""
        return self._delete(f"{_PROFILES}/{guid(identifier)}", CONFIGURATION_READ_WRITE)

    def assignments(self, identifier: str) -> list[DeviceConfigurationAssignment]:
        """Return to whom a device configuration is assigned."""
        path = f"{_PROFILES}/{guid(identifier)}/assignments"
        return self._list(DeviceConfigurationAssignment, path, CONFIGURATION_READ)

    def assign(self, identifier: str, targets: Iterable[Body]) -> None:
        """Assign a device configuration to exactly these targets."""
        body = {"assignments": [{"target": dict(target)} for target in targets]}
        self._post(f"{_PROFILES}/{guid(identifier)}/assign", body)

    def app_objects(self, of: AppCollection[Item]) -> list[Item]:
        """Return all objects of a collection."""
        return self._list(of.model, of.path() + query(top=LARGEST_PAGE), CONFIGURATION_READ)

    def create_app_object(self, of: AppCollection[Item], body: Body) -> Item:
        """Create an object of a collection and return it with its id."""
        return read_entity(of.model, self._post(of.path(), body))

    def update_app_object(self, of: AppCollection[Item], identifier: str, changes: Body) -> None:
        """Change the properties in `changes`, which also names the `@odata.type`."""
        self._patch(of.path(identifier), changes)

    def delete_app_object(self, of: AppCollection[Item], identifier: str) -> bool:
        """Delete an object of a collection; False when there was none."""
        return self._delete(of.path(identifier), CONFIGURATION_READ_WRITE)

    def app_assignments(self, of: AppCollection[Item], identifier: str) -> list[AppAssignment]:
        """Return to whom an object is assigned."""
        return self._list(AppAssignment, of.path(identifier, "/assignments"), CONFIGURATION_READ)

    def assign_app_object(
        self, of: AppCollection[Item], identifier: str, assignments: Iterable[Body]
    ) -> None:
        """Replace the assignments of an object."""
        self._post(of.path(identifier, "/assign"), {of.assignments: [dict(item) for item in assignments]})

    def targeted_apps(self, of: AppCollection[Item], identifier: str) -> list[ManagedMobileApp]:
        """Return the apps that a policy for managed apps is about."""
        return self._list(ManagedMobileApp, of.path(identifier, "/apps"), CONFIGURATION_READ)

    def target_apps(self, of: AppCollection[Item], identifier: str, apps: Iterable[Body]) -> None:
        """Replace the apps that a policy for managed apps is about."""
        body = {"apps": [dict(item) for item in apps], "appGroupType": "selectedPublicApps"}
        self._post(of.path(identifier, "/targetApps"), body)

    def add_play_app(self, package: str) -> str:
        """Approve an app of managed Google Play, synchronise, and return its id in the tenant.

        Raises TenantError `play-app-missing` when it does not come within two minutes.
        """
        approval = {"packageIds": [f"app:{package}"], "approveAllPermissions": True}
        self._post(f"{_PLAY}/approveApps", approval)
        self._post(f"{_PLAY}/syncApps")
        end = self._clock.monotonic() + _SYNCHRONISATION_SECONDS
        while True:
            for app in self.app_objects(MOBILE_APPS):
                if app.odata_type == PLAY_APP and app.identifier == package:
                    return app.id
            if self._clock.monotonic() + _SYNCHRONISATION_PAUSE > end:
                raise TenantError(
                    "play-app-missing",
                    "managed Google Play did not add the app {package}",
                    hint=(
                        "Check in the admin center that the tenant is connected to managed Google Play, add "
                        "the app there, then run the command again."
                    ),
                    package=package,
                )
            self._clock.sleep(_SYNCHRONISATION_PAUSE)

    def policies(self) -> list[ConditionalAccessPolicy]:
        """Return all Conditional Access policies."""
        return self._list(ConditionalAccessPolicy, _POLICIES + query(top=LARGEST_PAGE), POLICY_READ)

    def create_policy(self, body: Body) -> ConditionalAccessPolicy:
        """Create a Conditional Access policy and return it with its id."""
        answer = self._transport.send("POST", _POLICIES, body, needs=POLICY_CHANGE)
        return read_entity(ConditionalAccessPolicy, answer)

    def update_policy(self, identifier: str, changes: Body) -> None:
        """Change the properties in `changes`; a condition that is null there is removed."""
        self._transport.send("PATCH", f"{_POLICIES}/{guid(identifier)}", changes, needs=POLICY_CHANGE)

    def what_if(self, user_id: str, conditions: Body) -> list[WhatIfResult]:
        """Return all policies, each with whether it would apply to a user's sign-in for the gateway.

        `conditions` are the properties of signInConditions; what is missing there is not evaluated.
        """
        body = {
            "signInIdentity": {"@odata.type": "#microsoft.graph.userSignIn", "userId": guid(user_id)},
            "signInContext": {
                "@odata.type": "#microsoft.graph.applicationContext",
                "includeApplications": [GATEWAY_APP_ID],
            },
            "signInConditions": dict(conditions),
            "appliedPoliciesOnly": False,
        }
        found = self._transport.called("/identity/conditionalAccess/evaluate", body, needs=POLICY_READ)
        return [read_entity(WhatIfResult, each) for each in found]

    def user(self, name: str) -> User | None:
        """Return the user with this user principal name."""
        return self._find(User, f"/users/{quote(name, safe='')}", USER_READ_BASIC)

    def _post(self, path: str, body: Body | None = None) -> JsonObject:
        return self._transport.send("POST", path, body, needs=CONFIGURATION_READ_WRITE)

    def _patch(self, path: str, changes: Body) -> None:
        self._transport.send("PATCH", path, changes, needs=CONFIGURATION_READ_WRITE)


def _named(name: str | None, **options: str) -> str:
    wanted = {} if name is None else {"filter": equals("displayName", name)}
    return query(**wanted, **options, top=LARGEST_PAGE)


def _reference(configuration_id: str) -> JsonObject:
    """Refer to a server configuration as clients of the public API do: by a nested id."""
    return {"microsoftTunnelConfiguration": {"id": guid(configuration_id)}}


def _metric(name: str) -> str:
    """Return `name` when it can be part of a path: metrics are identified by name."""
    if not _METRIC.fullmatch(name):
        raise TenantError(
            "metric-malformed",
            "{name!r} is not the name of a metric",
            hint="Use letters and digits.",
            name=name[:80],
        )
    return name
