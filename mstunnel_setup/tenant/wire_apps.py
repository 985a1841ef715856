"""Wire models of Graph below /deviceAppManagement: apps, their configurations, and app protection.

As in `wire`, properties that only derived types have are kept beside those that are named here.
"""

from pydantic import Field

from mstunnel_setup.tenant.wire import AssignmentTarget, Moment, StringList, WireModel


class AppManagementObject(WireModel):
    """What all objects below /deviceAppManagement have."""

    odata_type: str = Field(default="", alias="@odata.type")
    id: str = ""
    display_name: str = ""
    description: str | None = None
    role_scope_tag_ids: StringList = ()
    created_date_time: Moment | None = None
    last_modified_date_time: Moment | None = None


class MobileApp(AppManagementObject):
    """mobileApp: an app that the tenant can assign."""

    publisher: str | None = None

    @property
    def identifier(self) -> str:
        """The package (Android) or bundle (iOS) id; empty for other kinds of apps."""
        extra = self.model_extra or {}
        return str(extra.get("packageId") or extra.get("bundleId") or "").removeprefix("app:")


class MobileAppConfiguration(AppManagementObject):
    """managedDeviceMobileAppConfiguration: what an app is told on enrolled devices."""

    targeted_mobile_apps: StringList = ()
    version: int | None = None


class TargetedManagedAppConfiguration(AppManagementObject):
    """targetedManagedAppConfiguration: what managed apps are told, on any device."""

    version: str | None = None


class AndroidManagedAppProtection(AppManagementObject):
    """androidManagedAppProtection: how managed apps on Android protect what they hold."""

    version: str | None = None


class IosManagedAppProtection(AppManagementObject):
    """iosManagedAppProtection: the same on iOS."""

    version: str | None = None


class ManagedMobileApp(WireModel):
    """managedMobileApp: an app that a policy for managed apps is about."""

    id: str = ""
    mobile_app_identifier: dict[str, object] = Field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """The package or bundle id."""
        wire = self.mobile_app_identifier
        return str(wire.get("packageId") or wire.get("bundleId") or "")


class AppAssignment(WireModel):
    """One assignment of an object below /deviceAppManagement; only an app's has intent and settings."""

    id: str = ""
    target: AssignmentTarget = AssignmentTarget()
    intent: str | None = None
    settings: dict[str, object] | None = None
