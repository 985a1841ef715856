"""Requests of the administrator's tools beyond those of the installer.

Paths, methods and permissions: docs/reference/mst-admin.md. Bodies are wire documents with only the
properties to write, because null has a meaning there: it clears a property.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, TypeVar

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import plain
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.graph import (
    ID_MALFORMED,
    LARGEST_PAGE,
    SITES,
    Body,
    Graph,
    GraphCollection,
    guid,
    read_entity,
    server_path,
)
from mstunnel_setup.tenant.token_sources import claims
from mstunnel_setup.tenant.transport import query
from mstunnel_setup.tenant.wire import (
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
    GROUP_MEMBER_READ,
    Group,
    MetricPoint,
    MetricValue,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    WireModel,
)
from mstunnel_setup.tenant.wire_intune import (
    PLAY_APP,
    AndroidManagedAppProtection,
    AppAssignment,
    DeviceConfiguration,
    DeviceConfigurationAssignment,
    IosManagedAppProtection,
    ManagedMobileApp,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

Item = TypeVar("Item", bound=WireModel)
_APP_ID: Final = re.compile(r"([A-Z]_)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SERVERS: Final = "microsoftTunnelServers"
_PLAY: Final = "/deviceManagement/androidManagedStoreAccountEnterpriseSettings"
_MOST_IN_FILTER: Final = 15
"""The number of values that `in` takes in a filter (Graph documentation of `$filter`)."""
_SYNCHRONISATION_SECONDS: Final = 120.0
_SYNCHRONISATION_PAUSE: Final = 5.0


def _app_id(text: str) -> str:
    """Return `text` if it is a GUID, which has a letter and `_` before it for managed apps."""
    if not _APP_ID.fullmatch(text):
        raise ID_MALFORMED(text=plain(text, 80))
    return text


CONFIGURATIONS: Final = GraphCollection(
    "/deviceManagement/microsoftTunnelConfigurations", TunnelConfiguration
)
PROFILES: Final = GraphCollection("/deviceManagement/deviceConfigurations", DeviceConfiguration)
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


GROUPS: Final = GraphCollection("/groups", Group, read=GROUP_MEMBER_READ)
_READ_GROUPS: Final = frozenset(
    f"{what}.{how}.All" for what in ("GroupMember", "Group", "Directory") for how in ("Read", "ReadWrite")
)
"""The permissions that allow reading groups."""


def configuration_reference(configuration_id: str) -> JsonObject:
    """Return a reference to a server configuration as public API clients write it: a nested id."""
    return {"microsoftTunnelConfiguration": {"id": guid(configuration_id)}}


class AdminGraph(Graph):
    """Microsoft Graph of one tenant, with everything that an administrator changes there."""

    def assign(self, of: GraphCollection[Item], identifier: str, assignments: Iterable[Body]) -> None:
        """Replace the assignments of an object."""
        self._post(of.below(identifier, "/assign"), {of.assignments: [dict(item) for item in assignments]})

    @property
    def may_read_groups(self) -> bool:
        """True if the token lists a permission to read groups."""
        found = claims(self._token())
        roles = found.get("roles")
        granted = {*str(found.get("scp", "")).split(), *(roles if isinstance(roles, list) else ())}
        return not _READ_GROUPS.isdisjoint(granted)

    def group_names(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Return the names of groups by id; an id without a group is left out."""
        found: dict[str, str] = {}
        wanted = sorted(set(identifiers))
        for first in range(0, len(wanted), _MOST_IN_FILTER):
            some = wanted[first : first + _MOST_IN_FILTER]
            ids = ",".join(f"'{guid(identifier)}'" for identifier in some)
            path = GROUPS.path + query(filter=f"id in ({ids})", select="id,displayName")
            found |= {group.id.lower(): group.display_name for group in self._list(Group, path, GROUPS.read)}
        return found

    def profile_assignments(self, identifier: str) -> list[DeviceConfigurationAssignment]:
        """Return the assignments of a device configuration."""
        path = PROFILES.below(identifier, "/assignments")
        return self._list(DeviceConfigurationAssignment, path, PROFILES.read)

    def app_assignments(self, of: GraphCollection[Item], identifier: str) -> list[AppAssignment]:
        """Return the assignments of an app or an app policy."""
        return self._list(AppAssignment, of.below(identifier, "/assignments"), of.read)

    def targeted_apps(self, of: GraphCollection[Item], identifier: str) -> list[ManagedMobileApp]:
        """Return the apps that a policy for managed apps targets."""
        return self._list(ManagedMobileApp, of.below(identifier, "/apps"), of.read)

    def target_apps(self, of: GraphCollection[Item], identifier: str, apps: Iterable[Body]) -> None:
        """Replace the apps that a policy for managed apps targets."""
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
        """Return the last values of a server's health metrics; unreported ones are left out."""
        path = f"{server_path(site_id, server_id)}/getHealthMetrics"
        found = self._transport.called(path, {"metricNames": [*names]}, needs=CONFIGURATION_READ)
        return {item.name: item.value for item in (read_entity(MetricValue, each) for each in found)}

    def trend(
        self, site_id: str, server_id: str, name: str, start: datetime, end: datetime
    ) -> list[MetricPoint]:
        """Return a health metric of a server over time, in Graph's order."""
        path = f"{server_path(site_id, server_id)}/getHealthMetricTimeSeries"
        times = {"startDateTime": start.isoformat(), "endDateTime": end.isoformat()}
        body = {"metricName": name, **times}
        found = self._transport.called(path, body, needs=CONFIGURATION_READ)
        return [read_entity(MetricPoint, each) for each in found]

    def add_play_app(self, package: str) -> str:
        """Approve an app of managed Google Play, synchronize, and return its id in the tenant.

        Raises TenantError `play-app-missing` if it does not appear within two minutes.
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

    def _post(self, path: str, body: Body | None = None) -> JsonObject:
        return self._transport.send("POST", path, body, needs=CONFIGURATION_READ_WRITE)
