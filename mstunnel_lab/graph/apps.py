"""Graph below /deviceAppManagement: apps and app configurations; and the apps of managed Google Play."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import may_read_tunnel, may_write_tunnel
from mstunnel_lab.errors import BAD_REQUEST, GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_apps import (
    DEVICE_BODIES,
    AndroidProtectionBody,
    AppAssignmentBody,
    ApproveBody,
    AssignAppBody,
    IosProtectionBody,
    IosStoreAppBody,
    ManagedAppConfigurationBody,
    TargetAppsBody,
)
from mstunnel_lab.graph.bodies_assignments import AssignBody, AssignmentBody
from mstunnel_lab.graph.http import caller_of, collection, read_body
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.graph.typed_entities import T, TypedEntities
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import DeviceConfiguration
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

_ROOT: Final = "deviceAppManagement"
_APP: Final = entity_type("microsoft.graph.managedMobileApp", ManagedMobileApp)
_STORE: Final = "/androidManagedStoreAccountEnterpriseSettings"
_NO_CONTENT: Final = 204


class ApprovedApp(MobileApp):
    """An app that was approved in managed Google Play; the next synchronisation makes it an app."""


@dataclass(frozen=True)
class ManagedAppPolicies(TypedEntities[T]):
    """Policies for managed apps: each has a list of apps, and can be created with apps and assignments."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the entities, and of their apps."""
        return (
            *super().routes,
            Route(f"/{self.segment}/{{id}}/apps", self.answer_apps),
            Route(f"/{self.segment}/{{id}}/targetApps", self.answer_target_apps, methods=["POST"]),
        )

    def create(self, lab: Lab, document: object) -> T:
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

    def remove(self, lab: Lab, found: T) -> None:
        """Remove a policy and what it is about."""
        self._forget_apps(lab, found.id)
        super().remove(lab, found)

    async def answer_apps(self, request: Request) -> Response:
        """List the apps that a policy is about."""
        lab, identifier = lab_of(request), request.path_params["id"]
        may_read_tunnel(caller_of(request))
        found = lab.store.each(ManagedMobileApp, parent=lab.required(self.model, identifier).id)
        context = f"{self.root}/{self.segment}('{identifier}')/apps"
        return collection(request, [item.document() for item in found], _APP, context)

    async def answer_target_apps(self, request: Request) -> Response:
        """Replace the apps that a policy is about."""
        lab = lab_of(request)
        may_write_tunnel(caller_of(request))
        found = lab.required(self.model, request.path_params["id"])
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
class Apps(TypedEntities[MobileApp]):
    """Apps: the settings of their assignments are those of their store, and name VPN profiles that exist."""

    def replace_assignments(self, lab: Lab, identifier: str, body: AssignBody[Any]) -> None:
        """Assign an app; raises `GraphError` 400."""
        store = lab.required(MobileApp, identifier).odata_type
        for item in body.assignments:
            settings = item.settings if isinstance(item, AppAssignmentBody) else None
            if settings and settings.odata_type != f"{store}AssignmentSettings":
                raise GraphError(BAD_REQUEST, "BadRequest", f"The settings are not those of a {store}.")
            profile = settings and settings.vpn_configuration_id
            if profile and lab.store.get(DeviceConfiguration, profile) is None:
                raise GraphError(BAD_REQUEST, "BadRequest", f"The VPN profile '{profile}' does not exist.")
        super().replace_assignments(lab, identifier, body)


@dataclass(frozen=True)
class DeviceAppConfigurations(TypedEntities[MobileAppConfiguration]):
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
    _ROOT,
    "mobileApps",
    MobileApp,
    "mobileApp",
    {f"#{IosStoreAppBody.type_name}": IosStoreAppBody},
    AppAssignment,
    AssignAppBody,
)
DEVICE_CONFIGURATIONS: Final = DeviceAppConfigurations(
    _ROOT,
    "mobileAppConfigurations",
    MobileAppConfiguration,
    "managedDeviceMobileAppConfiguration",
    DEVICE_BODIES,
    AppAssignment,
    AssignBody[AssignmentBody],
)
MANAGED_CONFIGURATIONS: Final = ManagedAppPolicies(
    _ROOT,
    "targetedManagedAppConfigurations",
    TargetedManagedAppConfiguration,
    "targetedManagedAppConfiguration",
    {f"#{ManagedAppConfigurationBody.type_name}": ManagedAppConfigurationBody},
    AppAssignment,
    AssignBody,
    "A_",
)

_ANDROID_PROTECTIONS: Final = ManagedAppPolicies(
    _ROOT,
    "androidManagedAppProtections",
    AndroidManagedAppProtection,
    "androidManagedAppProtection",
    {f"#{AndroidProtectionBody.type_name}": AndroidProtectionBody},
    AppAssignment,
    AssignBody[AssignmentBody],
    "T_",
)
_IOS_PROTECTIONS: Final = ManagedAppPolicies(
    _ROOT,
    "iosManagedAppProtections",
    IosManagedAppProtection,
    "iosManagedAppProtection",
    {f"#{IosProtectionBody.type_name}": IosProtectionBody},
    AppAssignment,
    AssignBody[AssignmentBody],
    "T_",
)

ROUTES = [
    *APPS.routes,
    *DEVICE_CONFIGURATIONS.routes,
    *MANAGED_CONFIGURATIONS.routes,
    *_ANDROID_PROTECTIONS.routes,
    *_IOS_PROTECTIONS.routes,
]
STORE_ROUTES = [
    Route(f"{_STORE}/approveApps", approve, methods=["POST"]),
    Route(f"{_STORE}/syncApps", synchronise, methods=["POST"]),
]
