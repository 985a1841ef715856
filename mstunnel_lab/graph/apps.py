"""Graph below /deviceAppManagement: apps and app configurations; and the apps of managed Google Play.

Properties: docs/reference/mst-admin.md (generated models of msgraph-beta-sdk). The lab supports the
properties that Microsoft Tunnel uses.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictStr, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import may_read_intune, may_write_intune
from mstunnel_lab.errors import bad_request
from mstunnel_lab.graph import bodies
from mstunnel_lab.graph.approvals import approved_change
from mstunnel_lab.graph.entities import AssignedEntities, Typed
from mstunnel_lab.graph.http import NO_CONTENT, EntityType, admitted, collection, document, read_body
from mstunnel_lab.state import Lab
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.tenant.wire_intune import (
    PLAY_APP,
    AndroidManagedAppProtection,
    DeviceConfiguration,
    IosManagedAppProtection,
    ManagedMobileApp,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

_KIND: Final = "androidenterprise#managedConfiguration"
_ROOT: Final = "deviceAppManagement"
AppId = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$")]
PackageId = Annotated[StrictStr, Field(pattern=r"^app:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$")]


class _AppConfigurationSettingItem(bodies.TypedPart):
    app_config_key: bodies.FilledText
    app_config_key_type: Literal["stringType", "integerType", "realType", "booleanType", "tokenType"]
    app_config_key_value: StrictStr


class _AndroidPermissionAction(bodies.TypedPart):
    permission: bodies.FilledText
    action: Literal["prompt", "autoGrant", "autoDeny"]


class _AppConfigurationBody(bodies.NamedBody, entity=MobileAppConfiguration):
    targeted_mobile_apps: Annotated[tuple[bodies.Guid, ...], Field(min_length=1)]


class IosAppConfigurationBody(_AppConfigurationBody, name="iosMobileAppConfiguration"):
    """The body of an iosMobileAppConfiguration."""

    settings: tuple[_AppConfigurationSettingItem, ...] | None = None
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


class AndroidAppConfigurationBody(_AppConfigurationBody, name="androidManagedStoreAppConfiguration"):
    """The body of an androidManagedStoreAppConfiguration."""

    package_id: PackageId
    payload_json: Annotated[StrictStr, AfterValidator(_payload)]
    profile_applicability: Literal["default", "androidWorkProfile", "androidDeviceOwner"] = "default"
    permission_actions: tuple[_AndroidPermissionAction, ...] = ()
    connected_apps_enabled: StrictBool = False


class _MobileAppIdentifier(bodies.BodyPart):
    """The app identifier for Android or iOS."""

    odata_type: Literal[
        "#microsoft.graph.androidMobileAppIdentifier", "#microsoft.graph.iosMobileAppIdentifier"
    ]
    package_id: AppId | None = None
    bundle_id: AppId | None = None

    @model_validator(mode="after")
    def _one_of_its_type(self) -> "_MobileAppIdentifier":
        is_ios = self.odata_type.endswith("iosMobileAppIdentifier")
        if (self.bundle_id is None) == is_ios or (self.package_id is None) != is_ios:
            raise ValueError("must have the packageId of Android or the bundleId of iOS")
        return self


class _ManagedMobileApp(bodies.TypedPart):
    mobile_app_identifier: _MobileAppIdentifier


AppGroup = Literal["selectedPublicApps", "allCoreMicrosoftApps", "allMicrosoftApps", "allApps"]


class TargetAppsBody(bodies.Body, entity=TargetedManagedAppConfiguration, name="managedMobileApp"):
    """The body of the action targetApps."""

    apps: tuple[_ManagedMobileApp, ...]
    app_group_type: AppGroup = "selectedPublicApps"


class ManagedAppConfigurationBody(
    bodies.NamedBody, entity=TargetedManagedAppConfiguration, name="targetedManagedAppConfiguration"
):
    """targetedManagedAppConfiguration, without its apps and assignments, which have their own actions."""

    app_group_type: AppGroup = "selectedPublicApps"
    targeted_app_management_levels: Literal["unspecified", "unmanaged", "mdm", "androidEnterprise"] = (
        "unspecified"
    )
    custom_settings: tuple[bodies.KeyValuePairBody, ...] = ()


class _AndroidProtectionBody(
    bodies.NamedBody, entity=AndroidManagedAppProtection, name="androidManagedAppProtection"
):
    app_group_type: AppGroup = "selectedPublicApps"
    connect_to_vpn_on_launch: StrictBool = False


class _IosProtectionBody(bodies.NamedBody, entity=IosManagedAppProtection, name="iosManagedAppProtection"):
    app_group_type: AppGroup = "selectedPublicApps"


class _IosDeviceType(bodies.TypedPart):
    i_pad: Annotated[StrictBool, Field(alias="iPad")] = False
    i_phone_and_i_pod: Annotated[StrictBool, Field(alias="iPhoneAndIPod")] = False


class IosStoreAppBody(bodies.NamedBody, entity=MobileApp, name="iosStoreApp"):
    """The body of an iosStoreApp."""

    publisher: bodies.FilledText
    bundle_id: AppId | None = None
    app_store_url: Annotated[StrictStr, Field(pattern=r"^https://")]
    applicable_device_type: _IosDeviceType
    minimum_supported_operating_system: dict[StrictStr, StrictBool]


class AppSettingsBody(bodies.BodyPart):
    """mobileAppAssignmentSettings of a store; the type of the app determines which."""

    odata_type: Literal[
        "#microsoft.graph.iosStoreAppAssignmentSettings",
        "#microsoft.graph.iosVppAppAssignmentSettings",
        "#microsoft.graph.androidManagedStoreAppAssignmentSettings",
    ]
    vpn_configuration_id: bodies.Guid | None = None
    is_removable: StrictBool | None = None
    uninstall_on_device_removal: StrictBool | None = None
    prevent_managed_app_backup: StrictBool | None = None
    use_device_licensing: StrictBool | None = None
    prevent_auto_app_update: StrictBool | None = None
    auto_update_mode: Literal["default", "postponed", "priority"] | None = None
    android_managed_store_app_track_ids: bodies.Texts | None = None


class AppAssignmentBody(bodies.AssignmentBody):
    """An assignment of an app, with intent and settings."""

    intent: Literal["available", "required", "uninstall", "availableWithoutEnrollment"]
    settings: AppSettingsBody | None = None


class AssignAppBody(bodies.AssignBody[AppAssignmentBody], entity=MobileApp, name="mobileAppAssignment"):
    """The body of the action assign of an app."""

    assignments: Annotated[tuple[AppAssignmentBody, ...], Field(alias="mobileAppAssignments")]


class ApproveBody(bodies.Body, entity=MobileApp, name="androidManagedStoreAccountEnterpriseSettings"):
    """The body of the action approveApps."""

    package_ids: Annotated[tuple[PackageId, ...], Field(min_length=1)]
    approve_all_permissions: StrictBool = False


class ApprovedApp(MobileApp):
    """An app approved in managed Google Play; the next synchronization creates it as an app."""


@dataclass(frozen=True)
class ManagedAppPolicies(AssignedEntities[Typed]):
    """Policies for managed apps: each has a list of apps, and can be created with apps and assignments."""

    root: str = _ROOT

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the entities, and of their apps."""
        return (
            *super().routes,
            self.below("apps", self._answer_apps, "GET"),
            self.below("targetApps", self._answer_target_apps, "POST"),
        )

    def create(self, lab: Lab, document: object) -> Typed:
        """Create a policy with its apps and assignments."""
        own = dict(document) if isinstance(document, dict) else document
        given = own if isinstance(own, dict) else {}
        apps = bodies.judge(TargetAppsBody, {"apps": given.pop("apps", [])})
        assigned = bodies.judge(self.assign, {"assignments": given.pop("assignments", [])})
        with lab.store.transaction():
            created = super().create(lab, own)
            self.target(lab, created.id, apps)
            self.replace_assignments(lab, created.id, assigned)
        return created

    def remove(self, lab: Lab, found: Typed) -> None:
        """Remove a policy and its list of apps."""
        lab.store.remove_below(ManagedMobileApp, found.id)
        super().remove(lab, found)

    async def _answer_apps(self, request: Request) -> Response:
        """List the apps that a policy targets."""
        lab, _ = admitted(request, may_read_intune)
        identifier = self.named_in(request).id
        found = lab.store.each(ManagedMobileApp, parent=identifier)
        kind = EntityType("managedMobileApp", ManagedMobileApp)
        return collection(request, found, document, kind, f"{self.context()}('{identifier}')/apps")

    async def _answer_target_apps(self, request: Request) -> Response:
        """Replace the apps that a policy targets."""
        lab, caller = admitted(request, may_write_intune)
        found = self.named_in(request)
        async with approved_change(request, lab, caller, self.segment):
            body = await read_body(request, TargetAppsBody)
            with lab.store.transaction():
                self.target(lab, found.id, body)
        return Response(status_code=NO_CONTENT)

    def target(self, lab: Lab, identifier: str, body: TargetAppsBody) -> None:
        """Replace the apps that a policy targets with those of a body."""
        lab.store.remove_below(ManagedMobileApp, identifier)
        for item in body.apps:
            wire = {name: value for name, value in item.mobile_app_identifier.document().items() if value}
            made = {"id": f"{identifier}_{uuid.uuid4()}", "mobileAppIdentifier": wire}
            lab.store.add(ManagedMobileApp.from_wire(made), parent=identifier)


@dataclass(frozen=True)
class Apps(AssignedEntities[MobileApp]):
    """Apps, whose assignments have settings of their store and refer to existing VPN profiles."""

    def replace_assignments(self, lab: Lab, identifier: str, body: bodies.AssignBody[Any]) -> None:
        """Assign an app; raises `GraphError` 400."""
        store = self.find(lab, identifier).odata_type
        for item in body.assignments:
            settings = item.settings if isinstance(item, AppAssignmentBody) else None
            if settings and settings.odata_type != f"{store}AssignmentSettings":
                raise bad_request(f"The settings are not those of a {store}.")
            profile = settings and settings.vpn_configuration_id
            if profile and lab.store.get(DeviceConfiguration, profile) is None:
                raise bad_request(f"The VPN profile '{profile}' does not exist.")
        super().replace_assignments(lab, identifier, body)


@dataclass(frozen=True)
class DeviceAppConfigurations(AssignedEntities[MobileAppConfiguration]):
    """App configurations of enrolled devices, which refer to existing apps."""

    def create(self, lab: Lab, document: object) -> MobileAppConfiguration:
        """Create one; raises `GraphError` 400 for a missing app."""
        _require_apps(lab, document)
        return super().create(lab, document)

    def change(self, lab: Lab, found: MobileAppConfiguration, document: object) -> MobileAppConfiguration:
        """Change one; raises `GraphError` 400 for a missing app."""
        _require_apps(lab, document)
        return super().change(lab, found, document)


def _require_apps(lab: Lab, document: object) -> None:
    named = document.get("targetedMobileApps") if isinstance(document, dict) else None
    for identifier in named if isinstance(named, list) else ():
        if lab.store.get(MobileApp, str(identifier)) is None:
            raise bad_request(f"The mobileApp '{identifier}' does not exist.")


async def approve(request: Request) -> Response:
    """Approve apps of managed Google Play."""
    lab, _ = admitted(request, may_write_intune)
    for package in (await read_body(request, ApproveBody)).package_ids:
        if lab.store.get(ApprovedApp, package) is None:
            lab.store.add(ApprovedApp(id=package))
    return Response(status_code=NO_CONTENT)


async def synchronise(request: Request) -> Response:
    """Create the apps that were approved since the last synchronization."""
    lab, _ = admitted(request, may_write_intune)
    for approved in lab.store.each(ApprovedApp):
        add_play_app(lab, approved.id.removeprefix("app:"))
    return Response(status_code=NO_CONTENT)


def add_play_app(lab: Lab, package: str) -> MobileApp:
    """Return the app of managed Google Play with this package id, and create it if necessary."""
    for app in lab.store.each(MobileApp):
        if app.odata_type == PLAY_APP and app.identifier == package:
            return app
    made = MobileApp.from_wire(
        {
            "@odata.type": PLAY_APP,
            "id": str(uuid.uuid4()),
            "displayName": package,
            "publisher": "Google Play",
            "packageId": package,
            "appStoreUrl": f"https://play.google.com/store/apps/details?id={package}",
            "roleScopeTagIds": ["0"],
        }
    )
    lab.store.add(made)
    return made


APPS: Final = Apps("mobileApps", MobileApp, (IosStoreAppBody,), _ROOT, "mobileApp", assign=AssignAppBody)
DEVICE_CONFIGURATIONS: Final = DeviceAppConfigurations(
    "mobileAppConfigurations",
    MobileAppConfiguration,
    (IosAppConfigurationBody, AndroidAppConfigurationBody),
    _ROOT,
    "managedDeviceMobileAppConfiguration",
)
MANAGED_CONFIGURATIONS: Final = ManagedAppPolicies(
    "targetedManagedAppConfigurations",
    TargetedManagedAppConfiguration,
    (ManagedAppConfigurationBody,),
    prefix="A_",
)
ROUTES = [
    *APPS.routes,
    *DEVICE_CONFIGURATIONS.routes,
    *MANAGED_CONFIGURATIONS.routes,
    *ManagedAppPolicies(
        "androidManagedAppProtections", AndroidManagedAppProtection, (_AndroidProtectionBody,), prefix="T_"
    ).routes,
    *ManagedAppPolicies(
        "iosManagedAppProtections", IosManagedAppProtection, (_IosProtectionBody,), prefix="T_"
    ).routes,
]
_STORE: Final = "/androidManagedStoreAccountEnterpriseSettings"
STORE_ROUTES = [
    Route(f"{_STORE}/approveApps", approve, methods=["POST"]),
    Route(f"{_STORE}/syncApps", synchronise, methods=["POST"]),
]
