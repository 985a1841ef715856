"""Graph below /deviceAppManagement: apps and app configurations; and the apps of managed Google Play.

Properties: docs/reference/mst-admin.md (generated models of msgraph-beta-sdk). The lab knows the properties
that Microsoft Tunnel uses.
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

from mstunnel_lab.entra.permissions import may_read_tunnel, may_write_tunnel
from mstunnel_lab.errors import BAD_REQUEST, GraphError
from mstunnel_lab.graph.bodies import (
    GRAPH,
    OWN_TYPE,
    AssignBody,
    AssignmentBody,
    Body,
    BodyPart,
    Guid,
    KeyValuePairBody,
    Name,
    Text,
    TypedPart,
    judge,
)
from mstunnel_lab.graph.entities import AssignedEntities, Typed
from mstunnel_lab.graph.http import caller_of, collection, read_body
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import DeviceConfiguration
from mstunnel_setup.tenant.wire_apps import (
    PLAY_APP,
    AndroidManagedAppProtection,
    IosManagedAppProtection,
    ManagedMobileApp,
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


class IdentifierBody(BodyPart):
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
    custom_settings: tuple[KeyValuePairBody, ...] = ()


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


class AppSettingsBody(BodyPart):
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


_ROOT: Final = "deviceAppManagement"
_APP: Final = entity_type("microsoft.graph.managedMobileApp", ManagedMobileApp)
_STORE: Final = "/androidManagedStoreAccountEnterpriseSettings"
_NO_CONTENT: Final = 204


class ApprovedApp(MobileApp):
    """An app that was approved in managed Google Play; the next synchronisation makes it an app."""


@dataclass(frozen=True)
class ManagedAppPolicies(AssignedEntities[Typed]):
    """Policies for managed apps: each has a list of apps, and can be created with apps and assignments."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the entities, and of their apps."""
        return (
            *super().routes,
            Route(f"/{self.segment}/{{id}}/apps", self.answer_apps),
            Route(f"/{self.segment}/{{id}}/targetApps", self.answer_target_apps, methods=["POST"]),
        )

    def create(self, lab: Lab, document: object) -> Typed:
        """Make a policy with its apps and assignments."""
        own = dict(document) if isinstance(document, dict) else document
        given = own if isinstance(own, dict) else {}
        apps = judge(TargetAppsBody, {"apps": given.pop("apps", [])})
        assigned = judge(self.assign, {"assignments": given.pop("assignments", [])})
        with lab.store.transaction():
            created = super().create(lab, own)
            self.target(lab, created.id, apps)
            self.replace_assignments(lab, created.id, assigned)
        return created

    def remove(self, lab: Lab, found: Typed) -> None:
        """Remove a policy and what it is about."""
        self._forget_apps(lab, found.id)
        super().remove(lab, found)

    async def answer_apps(self, request: Request) -> Response:
        """List the apps that a policy is about."""
        lab, identifier = lab_of(request), request.path_params["id"]
        may_read_tunnel(caller_of(request))
        found = lab.store.each(ManagedMobileApp, parent=self.find(lab, identifier).id)
        context = f"{self.context}('{identifier}')/apps"
        return collection(request, found, ManagedMobileApp.document, _APP, context)

    async def answer_target_apps(self, request: Request) -> Response:
        """Replace the apps that a policy is about."""
        lab = lab_of(request)
        may_write_tunnel(caller_of(request))
        found = self.find(lab, request.path_params["id"])
        body = await read_body(request, TargetAppsBody)
        with lab.store.transaction():
            self.target(lab, found.id, body)
        return Response(status_code=_NO_CONTENT)

    def target(self, lab: Lab, identifier: str, body: TargetAppsBody) -> None:
        """Replace the apps that a policy is about by those of a body."""
        self._forget_apps(lab, identifier)
        for item in body.apps:
            wire = {name: value for name, value in item.mobile_app_identifier.document().items() if value}
            made = {"id": f"{identifier}_{uuid.uuid4()}", "mobileAppIdentifier": wire}
            lab.store.add(ManagedMobileApp.from_wire(made), parent=identifier)

    @staticmethod
    def _forget_apps(lab: Lab, identifier: str) -> None:
        for item in lab.store.each(ManagedMobileApp, parent=identifier):
            lab.store.remove(ManagedMobileApp, item.id)


@dataclass(frozen=True)
class Apps(AssignedEntities[MobileApp]):
    """Apps: the settings of their assignments are those of their store, and name VPN profiles that exist."""

    def replace_assignments(self, lab: Lab, identifier: str, body: AssignBody[Any]) -> None:
        """Assign an app; raises `GraphError` 400."""
        store = self.find(lab, identifier).odata_type
        for item in body.assignments:
            settings = item.settings if isinstance(item, AppAssignmentBody) else None
            if settings and settings.odata_type != f"{store}AssignmentSettings":
                raise GraphError(BAD_REQUEST, "BadRequest", f"The settings are not those of a {store}.")
            profile = settings and settings.vpn_configuration_id
            if profile and lab.store.get(DeviceConfiguration, profile) is None:
                raise GraphError(BAD_REQUEST, "BadRequest", f"The VPN profile '{profile}' does not exist.")
        super().replace_assignments(lab, identifier, body)


@dataclass(frozen=True)
class DeviceAppConfigurations(AssignedEntities[MobileAppConfiguration]):
    """App configurations of enrolled devices: each is for apps that the tenant has."""

    def create(self, lab: Lab, document: object) -> MobileAppConfiguration:
        """Make one."""
        _require_apps(lab, document)
        return super().create(lab, document)

    def change(self, lab: Lab, found: MobileAppConfiguration, document: object) -> MobileAppConfiguration:
        """Change one."""
        _require_apps(lab, document)
        return super().change(lab, found, document)


def _require_apps(lab: Lab, document: object) -> None:
    named = document.get("targetedMobileApps") if isinstance(document, dict) else None
    for identifier in named if isinstance(named, list) else ():
        if lab.store.get(MobileApp, str(identifier)) is None:
            raise GraphError(BAD_REQUEST, "BadRequest", f"The mobileApp '{identifier}' does not exist.")


async def approve(request: Request) -> Response:
    """Approve apps of managed Google Play."""
    lab = lab_of(request)
    may_write_tunnel(caller_of(request))
    for package in (await read_body(request, ApproveBody)).package_ids:
        if lab.store.get(ApprovedApp, package) is None:
            lab.store.add(ApprovedApp(id=package))
    return Response(status_code=_NO_CONTENT)


async def synchronise(request: Request) -> Response:
    """Make apps of those that were approved since the last synchronisation."""
    lab = lab_of(request)
    may_write_tunnel(caller_of(request))
    for approved in lab.store.each(ApprovedApp):
        add_play_app(lab, approved.id.removeprefix("app:"))
    return Response(status_code=_NO_CONTENT)


def add_play_app(lab: Lab, package: str) -> MobileApp:
    """Return the app of managed Google Play with this package id, made unless it is there."""
    apps = (app for app in lab.store.each(MobileApp) if app.odata_type == PLAY_APP)
    found = next((app for app in apps if app.identifier == package), None)
    if found is None:
        found = MobileApp.from_wire(_play_app(package))
        lab.store.add(found)
    return found


def _play_app(package: str) -> JsonObject:
    """An app as managed Google Play brings it."""
    return {
        "@odata.type": PLAY_APP,
        "id": str(uuid.uuid4()),
        "displayName": package,
        "publisher": "Google Play",
        "packageId": package,
        "appStoreUrl": f"https://play.google.com/store/apps/details?id={package}",
        "roleScopeTagIds": ["0"],
    }


APPS: Final = Apps(
    "mobileApps",
    "mobileApp",
    MobileApp,
    (IosStoreAppBody,),
    _ROOT,
    assign=AssignAppBody,
)
DEVICE_CONFIGURATIONS: Final = DeviceAppConfigurations(
    "mobileAppConfigurations",
    "managedDeviceMobileAppConfiguration",
    MobileAppConfiguration,
    (IosAppConfigurationBody, AndroidAppConfigurationBody),
    _ROOT,
)
MANAGED_CONFIGURATIONS: Final = ManagedAppPolicies(
    "targetedManagedAppConfigurations",
    "targetedManagedAppConfiguration",
    TargetedManagedAppConfiguration,
    (ManagedAppConfigurationBody,),
    _ROOT,
    "A_",
)
_PROTECTIONS: Final = (
    ManagedAppPolicies(
        "androidManagedAppProtections",
        "androidManagedAppProtection",
        AndroidManagedAppProtection,
        (AndroidProtectionBody,),
        _ROOT,
        "T_",
    ),
    ManagedAppPolicies(
        "iosManagedAppProtections",
        "iosManagedAppProtection",
        IosManagedAppProtection,
        (IosProtectionBody,),
        _ROOT,
        "T_",
    ),
)

ROUTES = [
    *APPS.routes,
    *DEVICE_CONFIGURATIONS.routes,
    *MANAGED_CONFIGURATIONS.routes,
    *(route for policies in _PROTECTIONS for route in policies.routes),
]
STORE_ROUTES = [
    Route(f"{_STORE}/approveApps", approve, methods=["POST"]),
    Route(f"{_STORE}/syncApps", synchronise, methods=["POST"]),
]
