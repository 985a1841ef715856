"""Wire models of Intune's objects for devices: profiles, apps, their configurations, and app protection."""

from typing import Final

from pydantic import Field

from mstunnel_setup.tenant.wire import Moment, StringList, WireModel

PLAY_APP: Final = "#microsoft.graph.androidManagedStoreApp"
"""The type of a managed Google Play app."""

APPROVAL_JUSTIFICATION: Final = "x-msft-approval-justification"
"""The request header with the reason for a change, in base64, where Multi Admin Approval protects it."""

APPROVAL_CODE: Final = "x-msft-approval-code"
"""The header with the id of an approval request: of the refusal, and of the same change once approved."""


class OperationApprovalRequest(WireModel):
    """operationApprovalRequest: a change that waits for the approval of another administrator."""

    id: str = ""
    request_date_time: Moment | None = None
    expiration_date_time: Moment | None = None
    last_modified_date_time: Moment | None = None
    status: str = "unknown"
    request_justification: str | None = None
    approval_justification: str | None = None


class IntuneObject(WireModel):
    """Properties common to Intune's objects of several types; properties of the derived types are kept."""

    odata_type: str = Field(default="", alias="@odata.type")
    id: str = ""
    display_name: str = ""
    description: str | None = None
    role_scope_tag_ids: StringList = ()
    created_date_time: Moment | None = None
    last_modified_date_time: Moment | None = None


class DeviceConfiguration(IntuneObject):
    """deviceConfiguration, base of VPN profiles and trusted roots."""

    version: int | None = None


class AssignmentTarget(WireModel):
    """The target of an assignment: a group, all users, or an excluded group, depending on the type."""

    odata_type: str = Field(default="", alias="@odata.type")
    group_id: str | None = None


class DeviceConfigurationAssignment(WireModel):
    """An assignment of a deviceConfiguration."""

    id: str = ""
    target: AssignmentTarget = AssignmentTarget()


class MobileApp(IntuneObject):
    """mobileApp: an app that the tenant can assign."""

    publisher: str | None = None

    @property
    def identifier(self) -> str:
        """The package (Android) or bundle (iOS) id; empty for other kinds of apps."""
        extra = self.model_extra or {}
        return str(extra.get("packageId") or extra.get("bundleId") or "").removeprefix("app:")


class MobileAppConfiguration(IntuneObject):
    """managedDeviceMobileAppConfiguration: settings of an app on enrolled devices."""

    targeted_mobile_apps: StringList = ()
    version: int | None = None


class TargetedManagedAppConfiguration(IntuneObject):
    """targetedManagedAppConfiguration: settings of managed apps, on any device."""


class AndroidManagedAppProtection(IntuneObject):
    """androidManagedAppProtection: protection of the data of managed apps on Android."""


class IosManagedAppProtection(IntuneObject):
    """iosManagedAppProtection: protection of the data of managed apps on iOS."""


class ManagedMobileApp(WireModel):
    """managedMobileApp: an app that a policy for managed apps targets."""

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
