"""Admin center: app configuration policies, for managed devices and for managed apps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from typing_extensions import override

from mst_admin.objects.app import app_ids
from mst_admin.objects.app_configuration import (
    ANDROID,
    BUNDLES,
    PACKAGES,
    PAYLOAD,
    AppConfigurationObject,
    PresentAppConfiguration,
    app_configuration_body,
    app_configuration_object,
    others_of,
    payload,
)
from mst_admin.objects.app_configuration_rules import judge_app_configuration
from mst_admin.objects.parts import targets
from mst_admin.objects.profile import ProfileObject
from mst_admin.objects.profile_wire import is_tunnel_profile, profile_object
from mstunnel_lab.admin_center import app_configuration_form as texts
from mstunnel_lab.admin_center.changes import RefusedError, Subject, Wish, stored
from mstunnel_lab.admin_center.forms import Values, problems_of
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.section import Editor, Section
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.apps import DEVICE_CONFIGURATIONS, MANAGED_CONFIGURATIONS
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_apps import TargetAppsBody
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment
from mstunnel_setup.tenant.wire_apps import (
    AppAssignment,
    ManagedMobileApp,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

_ALL: Final = "/admin/app-configurations"
_WHAT: Final = "app configuration policy"
_KIND: Final = "Enrollment type and platform"
_CHOICE: Final = (
    "Managed devices: one app on enrolled devices. Managed apps: apps with app protection on any device."
)
_NO_APP: Final = "There is no such app for this platform. Add it among all apps first."
_IOS_APP: Final = "#microsoft.graph.iosMobileAppIdentifier"
_APPS: Final = "apps"
_ANDROID_APP: Final = "#microsoft.graph.androidMobileAppIdentifier"

Policy = MobileAppConfiguration | TargetedManagedAppConfiguration


@dataclass(frozen=True)
class _Editor(Editor):
    """The form of a policy: a new one of a kind, or one that is there."""

    kind: str
    present: PresentAppConfiguration | None = None

    @property
    def declared(self) -> AppConfigurationObject | None:
        """The policy that is there, as it would be written."""
        return app_configuration_object(self.present) if self.present else None

    @property
    @override
    def subject(self) -> Subject:
        begin = texts.shown(self.kind, self.declared) if self.declared else texts.new(self.kind)
        found = self.present.found if self.present else None
        return Subject(_WHAT, _ALL, texts.groups(self.kind), begin, found, f"new/{self.kind}")

    @property
    @override
    def facts(self) -> Sequence[tuple[str, str]]:
        return [(_KIND, texts.KINDS[self.kind])]

    @property
    @override
    def advice(self) -> tuple[Finding, ...]:
        return judge_app_configuration(self.declared, _profiles(self.lab)) if self.declared else ()

    @override
    def judged(self, values: Values) -> Wish:
        wish = texts.declared(self.kind, values, self.declared.settings if self.declared else {})
        findings = judge_app_configuration(wish, _profiles(self.lab))
        if problems := problems_of(findings):
            raise RefusedError(problems)
        others = others_of(self.present) if self.present else ()
        body = app_configuration_body(wish, others)
        names = [*body.pop(PACKAGES, ()), *body.pop(BUNDLES, ())]
        apps = self._device_app(names[0], wish) if wish.on_devices else self._managed_apps(names, wish)
        if ANDROID in body:
            body[PAYLOAD] = payload(names[0], body.pop(ANDROID))
        return Wish({**body, **apps}, [{"target": item} for item in targets(wish)], findings)

    def _device_app(self, name: str, wish: AppConfigurationObject) -> JsonObject:
        found = app_ids(self.lab.store.each(MobileApp), name, is_ios=wish.is_ios)
        if not found:
            raise RefusedError({"apps": [(_NO_APP,)]})
        package: JsonObject = {} if wish.is_ios else {"packageId": f"app:{name}"}
        return {"targetedMobileApps": [*found], **package}

    @staticmethod
    def _managed_apps(names: list[str], wish: AppConfigurationObject) -> JsonObject:
        kind, key = (_IOS_APP, "bundleId") if wish.is_ios else (_ANDROID_APP, "packageId")
        identifiers: list[JsonObject] = [{"@odata.type": kind, key: name} for name in names]
        return {_APPS: [{"mobileAppIdentifier": item} for item in identifiers]}

    @override
    def store(self, wish: Wish) -> Policy:
        found = self.present.found if self.present else None
        if self.kind.startswith("devices"):
            on_devices = found if isinstance(found, MobileAppConfiguration) else None
            return stored(self.lab, DEVICE_CONFIGURATIONS, wish, on_devices)
        own = {name: value for name, value in wish.body.items() if name != _APPS}
        targeted = judge(TargetAppsBody, {_APPS: wish.body[_APPS]})
        in_apps = found if isinstance(found, TargetedManagedAppConfiguration) else None
        with self.lab.store.transaction():
            kept = stored(self.lab, MANAGED_CONFIGURATIONS, replace(wish, body=own), in_apps)
            MANAGED_CONFIGURATIONS.target(self.lab, kept.id, targeted)
        return kept


def _profiles(lab: Lab) -> Iterator[ProfileObject]:
    for found in lab.store.each(DeviceConfiguration):
        if is_tunnel_profile(found):
            yield profile_object(found, lab.store.each(DeviceConfigurationAssignment, parent=found.id))


def _present(lab: Lab) -> Iterator[PresentAppConfiguration]:
    """All policies of the tenant."""
    apps = {app.id: app for app in lab.store.each(MobileApp)}
    for device in lab.store.each(MobileAppConfiguration):
        assigned = lab.store.each(AppAssignment, parent=device.id)
        targeted = tuple(apps[item].identifier for item in device.targeted_mobile_apps if item in apps)
        yield PresentAppConfiguration(device, "ios" in device.odata_type, targeted, assigned)
    for managed in lab.store.each(TargetedManagedAppConfiguration):
        found = lab.store.each(ManagedMobileApp, parent=managed.id)
        is_ios = any("bundleId" in item.mobile_app_identifier for item in found)
        names = tuple(sorted(item.identifier for item in found))
        assigned = lab.store.each(AppAssignment, parent=managed.id)
        yield PresentAppConfiguration(managed, is_ios, names, assigned)


def _found(request: Request, lab: Lab) -> PresentAppConfiguration:
    wanted = request.path_params["id"]
    present = next((item for item in _present(lab) if item.id == wanted), None)
    if present is None:
        raise not_found("app configuration policy", wanted)
    return present


def _kind(present: PresentAppConfiguration) -> str:
    return texts.kind_of(present.channel, present.declared.platform)


def _editor(request: Request, lab: Lab) -> _Editor:
    present = _found(request, lab)
    return _Editor(lab, _kind(present), present)


_COLUMNS: Final = (
    Column[PresentAppConfiguration]("name", "Name", lambda item: item.name),
    Column[PresentAppConfiguration]("kind", _KIND, lambda item: texts.KINDS[_kind(item)], "word"),
    Column[PresentAppConfiguration]("apps", "Targeted apps", lambda item: ", ".join(item.apps)),
)


def _remove(request: Request, lab: Lab) -> None:
    found = _found(request, lab).found
    if isinstance(found, MobileAppConfiguration):
        DEVICE_CONFIGURATIONS.remove(lab, found)
    else:
        MANAGED_CONFIGURATIONS.remove(lab, found)


SECTION: Final = Section(
    tab="app-configurations",
    title="App configuration policies",
    what=_WHAT,
    kinds=texts.KINDS,
    label=_KIND,
    text=_CHOICE,
    columns=_COLUMNS,
    each=lambda lab: tuple(_present(lab)),
    new=_Editor,
    present=_editor,
    remove=_remove,
)
