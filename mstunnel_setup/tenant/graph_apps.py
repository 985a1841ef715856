"""What the administrator's tools ask of a tenant below /deviceAppManagement.

Paths, methods and permissions: docs/reference/mst-admin.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import plain
from mstunnel_setup.tenant.graph import ID_MALFORMED, LARGEST_PAGE, Graph, read_entity
from mstunnel_setup.tenant.transport import query
from mstunnel_setup.tenant.wire import CONFIGURATION_READ, CONFIGURATION_READ_WRITE, IntuneObject
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

Item = TypeVar("Item", bound=IntuneObject)
Item_co = TypeVar("Item_co", bound=IntuneObject, covariant=True)
_ID: Final = re.compile(r"([A-Z]_)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
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
        """The path of the collection, or of what lies below one of its objects."""
        below = f"/{_identifier(identifier)}" if identifier else ""
        return f"{_ROOT}/{self.segment}{below}{more}"


MOBILE_APPS: Final = AppCollection("mobileApps", MobileApp, "mobileAppAssignments")
DEVICE_APP_CONFIGURATIONS: Final = AppCollection("mobileAppConfigurations", MobileAppConfiguration)
MANAGED_APP_CONFIGURATIONS: Final = AppCollection(
    "targetedManagedAppConfigurations", TargetedManagedAppConfiguration
)
ANDROID_PROTECTIONS: Final = AppCollection("androidManagedAppProtections", AndroidManagedAppProtection)
IOS_PROTECTIONS: Final = AppCollection("iosManagedAppProtections", IosManagedAppProtection)


class AppGraph(Graph):
    """Microsoft Graph of one tenant, with what an administrator changes about its apps."""

    def app_objects(self, of: AppCollection[Item]) -> list[Item]:
        """Return all objects of a collection."""
        return self._list(of.model, of.path() + query(top=LARGEST_PAGE), CONFIGURATION_READ)

    def create_app_object(self, of: AppCollection[Item], body: Mapping[str, object]) -> Item:
        """Create an object of a collection and return it with its id."""
        answer = self._transport.send("POST", of.path(), body, needs=CONFIGURATION_READ_WRITE)
        return read_entity(of.model, answer)

    def update_app_object(
        self, of: AppCollection[Item], identifier: str, changes: Mapping[str, object]
    ) -> None:
        """Change the properties in `changes`, which also names the `@odata.type`."""
        self._transport.send("PATCH", of.path(identifier), changes, needs=CONFIGURATION_READ_WRITE)

    def delete_app_object(self, of: AppCollection[Item], identifier: str) -> bool:
        """Delete an object of a collection; False when there was none."""
        return self._delete(of.path(identifier), CONFIGURATION_READ_WRITE)

    def app_assignments(self, of: AppCollection[Item], identifier: str) -> list[AppAssignment]:
        """Return to whom an object is assigned."""
        return self._list(AppAssignment, of.path(identifier, "/assignments"), CONFIGURATION_READ)

    def assign_app_object(
        self, of: AppCollection[Item], identifier: str, assignments: Iterable[Mapping[str, object]]
    ) -> None:
        """Replace the assignments of an object."""
        body = {of.assignments: [dict(item) for item in assignments]}
        self._transport.send("POST", of.path(identifier, "/assign"), body, needs=CONFIGURATION_READ_WRITE)

    def targeted_apps(self, of: AppCollection[Item], identifier: str) -> list[ManagedMobileApp]:
        """Return the apps that a policy for managed apps is about."""
        return self._list(ManagedMobileApp, of.path(identifier, "/apps"), CONFIGURATION_READ)

    def target_apps(
        self, of: AppCollection[Item], identifier: str, apps: Iterable[Mapping[str, object]]
    ) -> None:
        """Replace the apps that a policy for managed apps is about."""
        body = {"apps": [dict(item) for item in apps], "appGroupType": "selectedPublicApps"}
        self._transport.send("POST", of.path(identifier, "/targetApps"), body, needs=CONFIGURATION_READ_WRITE)

    def add_play_app(self, package: str) -> str:
        """Approve an app of managed Google Play, synchronise, and return its id in the tenant.

        Raises TenantError `play-app-missing` when it does not come within two minutes.
        """
        approval = {"packageIds": [f"app:{package}"], "approveAllPermissions": True}
        self._transport.send("POST", f"{_PLAY}/approveApps", approval, needs=CONFIGURATION_READ_WRITE)
        self._transport.send("POST", f"{_PLAY}/syncApps", needs=CONFIGURATION_READ_WRITE)
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


def _identifier(text: str) -> str:
    """Return `text` when it can be part of a path: a GUID, for managed apps after a letter and `_`."""
    if not _ID.fullmatch(text):
        raise ID_MALFORMED(text=plain(text, 80))
    return text
