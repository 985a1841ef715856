"""What the administrator's tools ask of a tenant beyond what the installer needs.

Paths, methods and permissions: docs/reference/mst-admin.md. Bodies are wire documents that hold only what is
to be written, because null has a meaning there: it clears a property.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    SITES_PATH,
    THRESHOLDS_PATH,
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
    MetricPoint,
    MetricValue,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    User,
    WhatIfResult,
    WireModel,
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
Item = TypeVar("Item", bound=WireModel)
Item_co = TypeVar("Item_co", bound=WireModel, covariant=True)
_APP_ID: Final = re.compile(r"([A-Z]_)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_METRIC: Final = re.compile(r"[A-Za-z0-9_-]+")
_SERVERS: Final = "microsoftTunnelServers"
_PLAY: Final = "/deviceManagement/androidManagedStoreAccountEnterpriseSettings"
_SYNCHRONISATION_SECONDS: Final = 120.0
_SYNCHRONISATION_PAUSE: Final = 5.0


def _app_id(text: str) -> str:
    """Return `text` when it is a GUID, for managed apps after a letter and `_`."""
    if not _APP_ID.fullmatch(text):
        raise ID_MALFORMED(text=plain(text, 80))
    return text


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


@dataclass(frozen=True)
class GraphCollection(Generic[Item_co]):
    """One collection of Graph, and the permissions that its requests need.

    `identified` checks an id: nothing else may become part of a path. `expand` comes with a list of its
    objects; `assignments` is how the body of the action `assign` calls them.
    """

    path: str
    model: type[Item_co]
    identified: Callable[[str], str] = guid
    expand: str = ""
    assignments: str = "assignments"
    read: str = CONFIGURATION_READ
    write: str = CONFIGURATION_READ_WRITE

    def below(self, identifier: str, more: str = "") -> str:
        """The path of one of its objects, or of what lies below it. Raises TenantError for a bad id."""
        return f"{self.path}/{self.identified(identifier)}{more}"


CONFIGURATIONS: Final = GraphCollection(
    "/deviceManagement/microsoftTunnelConfigurations", TunnelConfiguration
)
SITES: Final = GraphCollection(SITES_PATH, TunnelSite, expand="microsoftTunnelConfiguration")
THRESHOLDS: Final = GraphCollection(THRESHOLDS_PATH, HealthThreshold, _metric)
PROFILES: Final = GraphCollection("/deviceManagement/deviceConfigurations", DeviceConfiguration)
POLICIES: Final = GraphCollection(
    "/identity/conditionalAccess/policies", ConditionalAccessPolicy, read=POLICY_READ, write=POLICY_CHANGE
)
MOBILE_APPS: Final = GraphCollection(
    "/deviceAppManagement/mobileApps", MobileApp, _app_id, assignments="mobileAppAssignments"
)
DEVICE_APP_CONFIGURATIONS: Final = GraphCollection(
    "/deviceAppManagement/mobileAppConfigurations", MobileAppConfiguration, _app_id
)
MANAGED_APP_CONFIGURATIONS: Final = GraphCollection(
    "/deviceAppManagement/targetedManagedAppConfigurations", TargetedManagedAppConfiguration, _app_id
)
ANDROID_PROTECTIONS: Final = GraphCollection(
    "/deviceAppManagement/androidManagedAppProtections", AndroidManagedAppProtection, _app_id
)
IOS_PROTECTIONS: Final = GraphCollection(
    "/deviceAppManagement/iosManagedAppProtections", IosManagedAppProtection, _app_id
)


def configuration_reference(configuration_id: str) -> JsonObject:
    """Refer to a server configuration as clients of the public API do: by a nested id."""
    return {"microsoftTunnelConfiguration": {"id": guid(configuration_id)}}


class AdminGraph(Graph):
    """Microsoft Graph of one tenant, with everything an administrator changes there."""

    def objects(
        self, of: GraphCollection[Item], name: str | None = None, properties: Sequence[str] = ()
    ) -> list[Item]:
        """Return all objects of a collection, or those called `name`; names are not unique.

        With `properties` (wire names) only these are fetched, and nothing expanded: for long lists.
        """
        options = {"select": ",".join(properties), "expand": "" if properties else of.expand}
        options["filter"] = "" if name is None else equals("displayName", name)
        given = {option: value for option, value in options.items() if value}
        return self._list(of.model, of.path + query(**given, top=LARGEST_PAGE), of.read)

    def find(self, of: GraphCollection[Item], identifier: str) -> Item | None:
        """Return the object with this id."""
        return self._find(of.model, of.below(identifier), of.read)

    def create(self, of: GraphCollection[Item], body: Body) -> Item:
        """Create an object, of the type that `@odata.type` names where there are several; it has its id."""
        return self._create(of.model, of.path, body, of.write)

    def update(self, of: GraphCollection[Item], identifier: str, changes: Body) -> None:
        """Change the properties in `changes`, which also name the `@odata.type` where there are several."""
        self._transport.send("PATCH", of.below(identifier), changes, needs=of.write)

    def delete(self, of: GraphCollection[Item], identifier: str) -> bool:
        """Delete an object; False when there was none. One that is in use is a TenantError `conflict`."""
        return self._delete(of.below(identifier), of.write)

    def assign(self, of: GraphCollection[Item], identifier: str, assignments: Iterable[Body]) -> None:
        """Replace the assignments of an object."""
        self._post(of.below(identifier, "/assign"), {of.assignments: [dict(item) for item in assignments]})

    def profile_assignments(self, identifier: str) -> list[DeviceConfigurationAssignment]:
        """Return to whom a device configuration is assigned."""
        path = PROFILES.below(identifier, "/assignments")
        return self._list(DeviceConfigurationAssignment, path, PROFILES.read)

    def app_assignments(self, of: GraphCollection[Item], identifier: str) -> list[AppAssignment]:
        """Return to whom an app, or what is about apps, is assigned."""
        return self._list(AppAssignment, of.below(identifier, "/assignments"), of.read)

    def targeted_apps(self, of: GraphCollection[Item], identifier: str) -> list[ManagedMobileApp]:
        """Return the apps that a policy for managed apps is about."""
        return self._list(ManagedMobileApp, of.below(identifier, "/apps"), of.read)

    def target_apps(self, of: GraphCollection[Item], identifier: str, apps: Iterable[Body]) -> None:
        """Replace the apps that a policy for managed apps is about."""
        body = {"apps": [dict(item) for item in apps], "appGroupType": "selectedPublicApps"}
        self._post(of.below(identifier, "/targetApps"), body)

    def request_upgrade(self, site_id: str) -> None:
        """Approve the upgrade of a site's servers. It cannot be undone."""
        self._post(SITES.below(site_id, "/requestUpgrade"))

    def all_servers(self) -> Iterator[tuple[TunnelSite, TunnelServer]]:
        """Yield the servers of all sites, each with its site: one request for each page of sites."""
        path = SITES.path + query(expand=_SERVERS, top=LARGEST_PAGE)
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

    def add_play_app(self, package: str) -> str:
        """Approve an app of managed Google Play, synchronise, and return its id in the tenant.

        Raises TenantError `play-app-missing` when it does not come within two minutes.
        """
        approval = {"packageIds": [f"app:{package}"], "approveAllPermissions": True}
        self._post(f"{_PLAY}/approveApps", approval)
        self._post(f"{_PLAY}/syncApps")
        end = self._clock.monotonic() + _SYNCHRONISATION_SECONDS
        while True:
            for app in self.objects(MOBILE_APPS):
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
