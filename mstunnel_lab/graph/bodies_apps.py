"""Bodies that write apps and app configurations.

Properties: docs/reference/mst-admin.md (generated models of msgraph-beta-sdk). The lab knows the properties
that Microsoft Tunnel uses.
"""

import base64
import binascii
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictStr, model_validator

from mstunnel_lab.graph.bodies import Body, Guid, Name, Part, Text
from mstunnel_lab.graph.bodies_assignments import GRAPH, OWN_TYPE, AssignBody, AssignmentBody, TypedPart
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.tenant.wire_apps import (
    AndroidManagedAppProtection,
    IosManagedAppProtection,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

_KIND: Final = "androidenterprise#managedConfiguration"
Texts = tuple[StrictStr, ...]
AppId = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$")]
PackageId = Annotated[StrictStr, Field(pattern=r"^app:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$")]


class SettingItemBody(TypedPart):
    """appConfigurationSettingItem."""

    app_config_key: Annotated[StrictStr, Field(min_length=1)]
    app_config_key_type: Literal["stringType", "integerType", "realType", "booleanType", "tokenType"]
    app_config_key_value: StrictStr


class PermissionBody(TypedPart):
    """androidPermissionAction."""

    permission: Annotated[StrictStr, Field(min_length=1)]
    action: Literal["prompt", "autoGrant", "autoDeny"]


class _AppConfigurationBody(Body):
    entity = MobileAppConfiguration

    display_name: Name
    description: Text | None = None
    role_scope_tag_ids: Texts = ("0",)
    targeted_mobile_apps: Annotated[tuple[Guid, ...], Field(min_length=1)]


class IosAppConfigurationBody(_AppConfigurationBody):
    """iosMobileAppConfiguration."""

    type_name = f"{GRAPH}iosMobileAppConfiguration"

    settings: tuple[SettingItemBody, ...] | None = None
    encoded_setting_xml: StrictStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "IosAppConfigurationBody":
        if self.settings and self.encoded_setting_xml:
            raise ValueError("settings and encodedSettingXml exclude each other")
        return self


def _payload(value: str) -> str:
    try:
        document = json_value(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be JSON, in base64") from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise ValueError(f"must have the kind {_KIND}")
    listed = document.get("managedProperty", [])
    if not isinstance(listed, list) or not all(isinstance(item, dict) and "key" in item for item in listed):
        raise ValueError("must have a list of managedProperty, each with a key")
    return value


class AndroidAppConfigurationBody(_AppConfigurationBody):
    """androidManagedStoreAppConfiguration."""

    type_name = f"{GRAPH}androidManagedStoreAppConfiguration"

    package_id: PackageId
    payload_json: Annotated[StrictStr, AfterValidator(_payload)]
    profile_applicability: Literal["default", "androidWorkProfile", "androidDeviceOwner"] = "default"
    permission_actions: tuple[PermissionBody, ...] = ()
    connected_apps_enabled: StrictBool = False


class IdentifierBody(Part):
    """mobileAppIdentifier, of Android or of iOS."""

    odata_type: Annotated[
        Literal["#microsoft.graph.androidMobileAppIdentifier", "#microsoft.graph.iosMobileAppIdentifier"],
        Field(alias=OWN_TYPE),
    ]
    package_id: AppId | None = None
    bundle_id: AppId | None = None

    @model_validator(mode="after")
    def _one_of_its_type(self) -> "IdentifierBody":
        is_ios = self.odata_type.endswith("iosMobileAppIdentifier")
        if (self.bundle_id is None) == is_ios or (self.package_id is None) != is_ios:
            raise ValueError("must have the packageId of Android or the bundleId of iOS")
        return self


class ManagedAppBody(TypedPart):
    """managedMobileApp."""

    mobile_app_identifier: IdentifierBody


AppGroup = Literal["selectedPublicApps", "allCoreMicrosoftApps", "allMicrosoftApps", "allApps"]


class TargetAppsBody(Body):
    """Body of the action targetApps."""

    entity = TargetedManagedAppConfiguration
    type_name = f"{GRAPH}managedMobileApp"

    apps: tuple[ManagedAppBody, ...]
    app_group_type: AppGroup = "selectedPublicApps"


class KeyValueBody(TypedPart):
    """keyValuePair, an entry of customSettings."""

    name: Annotated[StrictStr, Field(min_length=1)]
    value: StrictStr | None = None


class ManagedAppConfigurationBody(Body):
    """targetedManagedAppConfiguration, without its apps and assignments, which have their own actions."""

    entity = TargetedManagedAppConfiguration
    type_name = f"{GRAPH}targetedManagedAppConfiguration"

    display_name: Name
    description: Text | None = None
    role_scope_tag_ids: Texts = ("0",)
    app_group_type: AppGroup = "selectedPublicApps"
    targeted_app_management_levels: Literal["unspecified", "unmanaged", "mdm", "androidEnterprise"] = (
        "unspecified"
    )
    custom_settings: tuple[KeyValueBody, ...] = ()


class _ProtectionBody(Body):
    display_name: Name
    description: Text | None = None
    role_scope_tag_ids: Texts = ("0",)
    app_group_type: AppGroup = "selectedPublicApps"


class AndroidProtectionBody(_ProtectionBody):
    """androidManagedAppProtection, as far as the tunnel needs it."""

    entity = AndroidManagedAppProtection
    type_name = f"{GRAPH}androidManagedAppProtection"

    connect_to_vpn_on_launch: StrictBool = False


class IosProtectionBody(_ProtectionBody):
    """iosManagedAppProtection, as far as the tunnel needs it."""

    entity = IosManagedAppProtection
    type_name = f"{GRAPH}iosManagedAppProtection"


class DeviceTypeBody(TypedPart):
    """iosDeviceType."""

    i_pad: Annotated[StrictBool, Field(alias="iPad")] = False
    i_phone_and_i_pod: Annotated[StrictBool, Field(alias="iPhoneAndIPod")] = False


class IosStoreAppBody(Body):
    """iosStoreApp."""

    entity = MobileApp
    type_name = f"{GRAPH}iosStoreApp"

    display_name: Name
    description: Text | None = None
    publisher: Annotated[StrictStr, Field(min_length=1)]
    role_scope_tag_ids: Texts = ("0",)
    bundle_id: AppId | None = None
    app_store_url: Annotated[StrictStr, Field(pattern=r"^https://")]
    applicable_device_type: DeviceTypeBody
    minimum_supported_operating_system: dict[StrictStr, StrictBool]


class AppSettingsBody(Part):
    """mobileAppAssignmentSettings of a store; which of them is judged by the type of the app."""

    odata_type: Annotated[
        Literal[
            "#microsoft.graph.iosStoreAppAssignmentSettings",
            "#microsoft.graph.iosVppAppAssignmentSettings",
            "#microsoft.graph.androidManagedStoreAppAssignmentSettings",
        ],
        Field(alias=OWN_TYPE),
    ]
    vpn_configuration_id: Guid | None = None
    is_removable: StrictBool | None = None
    uninstall_on_device_removal: StrictBool | None = None
    prevent_managed_app_backup: StrictBool | None = None
    use_device_licensing: StrictBool | None = None
    prevent_auto_app_update: StrictBool | None = None
    auto_update_mode: Literal["default", "postponed", "priority"] | None = None
    android_managed_store_app_track_ids: Texts | None = None


class AppAssignmentBody(AssignmentBody):
    """mobileAppAssignment."""

    intent: Literal["available", "required", "uninstall", "availableWithoutEnrollment"]
    settings: AppSettingsBody | None = None


class AssignAppBody(AssignBody[AppAssignmentBody]):
    """Body of the action assign of an app."""

    entity = MobileApp
    type_name = f"{GRAPH}mobileAppAssignment"

    assignments: Annotated[tuple[AppAssignmentBody, ...], Field(alias="mobileAppAssignments")]


class ApproveBody(Body):
    """Body of the action approveApps."""

    entity = MobileApp
    type_name = f"{GRAPH}androidManagedStoreAccountEnterpriseSettings"

    package_ids: Annotated[tuple[PackageId, ...], Field(min_length=1)]
    approve_all_permissions: StrictBool = False


DEVICE_BODIES: Final[dict[str, type[Body]]] = {
    f"#{body.type_name}": body for body in (IosAppConfigurationBody, AndroidAppConfigurationBody)
}
