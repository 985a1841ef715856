"""Admin center: app configuration policies, for managed devices and for managed apps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from typing_extensions import override

from mst_admin.objects.app import app_ids
from mst_admin.objects.app_configuration import (
    ANDROID,
    BUNDLES,
    DEFENDER,
    PACKAGES,
    PAYLOAD,
    AppConfigurationObject,
    AppConfigurationPlatform,
    Channel,
    PresentAppConfiguration,
    app_configuration_body,
    app_configuration_object,
    others_of,
    payload,
)
from mst_admin.objects.app_configuration_rules import judge_app_configuration
from mst_admin.objects.parts import targets
from mstunnel_lab.admin_center.forms import (
    ASSIGNMENT_FIELDS,
    Field,
    FieldGroup,
    Values,
    empty,
    fields_of,
    lines,
    shown,
    typed,
)
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.profiles import declared_profiles
from mstunnel_lab.admin_center.sections import AdminSection, ObjectForm, RefusedError, Submission
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.apps import DEVICE_CONFIGURATIONS, MANAGED_CONFIGURATIONS, TargetAppsBody
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire_apps import (
    AppAssignment,
    ManagedMobileApp,
    MobileApp,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

KINDS: Final = {
    "devices-ios": "Managed devices: iOS/iPadOS",
    "devices-android": "Managed devices: Android Enterprise, all profile types",
    "devices-android-work-profile": "Managed devices: Android Enterprise, personally-owned work profile",
    "devices-android-device-owner": "Managed devices: Android Enterprise, corporate-owned and fully managed",
    "apps-ios": "Managed apps: iOS/iPadOS",
    "apps-android": "Managed apps: Android",
}
"""Channel and platform."""
_CHANNELS: Final = {"devices": Channel.DEVICES, "apps": Channel.APPS}
_BASICS: Final = FieldGroup(
    "Basics",
    (
        Field("name", "Name", hint="Name of the policy in the admin center.", required=True),
        Field("description", "Description (optional)", hint="What the policy is for."),
    ),
)
_APP: Final = Field(
    "apps",
    "Targeted app",
    hint="Package or bundle id of an app that is among all apps. com.microsoft.scmx is Microsoft Defender.",
    required=True,
)
_APPS: Final = Field(
    "apps",
    "Targeted apps",
    "lines",
    hint="Package or bundle ids, one per line. com.microsoft.scmx is Microsoft Defender.",
)
_SETTINGS: Final = Field(
    "settings",
    "Configuration settings",
    "pairs",
    hint="Configuration key=value, one per line. On iOS, TunnelOnly=True keeps to the EU data boundary: all "
    "functions of Microsoft Defender for Endpoint but the tunnel are off.",
)
_PERMISSIONS: Final = Field(
    "permissions",
    "Permissions",
    "pairs",
    hint="Permission=prompt, grant or deny, one per line: android.permission.CAMERA=deny.",
)
_BOUNDARY: Final = Field(
    "eu_data_boundary",
    "Check against the EU data boundary",
    "check",
    hint="Refuses settings that do not comply with it. It is not stored.",
)


_KIND: Final = "Enrollment type and platform"
_NO_APP: Final = "There is no such app for this platform. Add it among all apps first."
_IOS_APP: Final = "#microsoft.graph.iosMobileAppIdentifier"
_ANDROID_APP: Final = "#microsoft.graph.androidMobileAppIdentifier"
_TARGETS: Final = "apps"


def kind_of(channel: Channel, platform: AppConfigurationPlatform) -> str:
    """Return the kind of an app configuration, a key of `KINDS`."""
    return f"{next(name for name, value in _CHANNELS.items() if value is channel)}-{platform}"


def parts_of(kind: str) -> tuple[Channel, AppConfigurationPlatform]:
    """Return channel and platform of a kind."""
    channel, _, platform = kind.partition("-")
    return _CHANNELS[channel], AppConfigurationPlatform(platform)


def groups(kind: str) -> tuple[FieldGroup, ...]:
    """Return the fields of a kind."""
    channel, platform = parts_of(kind)
    on_devices = channel is Channel.DEVICES
    settings = (
        (_SETTINGS, _BOUNDARY) if platform is AppConfigurationPlatform.IOS and on_devices else (_SETTINGS,)
    )
    has_permissions = on_devices and platform is not AppConfigurationPlatform.IOS
    return (
        FieldGroup("Basics", (*_BASICS.fields, _APP if on_devices else _APPS)),
        FieldGroup("Settings", (*settings, _PERMISSIONS) if has_permissions else settings),
        FieldGroup("Assignments", ASSIGNMENT_FIELDS),
    )


@dataclass(frozen=True)
class AppConfigurationForm(ObjectForm[Any]):
    """The form of a policy for managed devices; one that is there is `policy`, with apps and assignments."""

    entities: ClassVar[Entities[Any]] = DEVICE_CONFIGURATIONS

    policy: PresentAppConfiguration | None = None

    @property
    @override
    def groups(self) -> tuple[FieldGroup, ...]:
        return groups(self.kind)

    @property
    @override
    def present(self) -> AppConfigurationObject | None:
        return app_configuration_object(self.policy) if self.policy else None

    @property
    @override
    def begin(self) -> Values:
        if self.present is None:
            return empty(self.groups) | {"apps": DEFENDER}
        return shown(fields_of(self.groups), self.present) | {"eu_data_boundary": ""}

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {"facts": [(_KIND, KINDS[self.kind])]}

    @override
    def declared(self, values: Values) -> AppConfigurationObject:
        """A setting that reads as it did before keeps its type."""
        channel, platform = parts_of(self.kind)
        known = self.present.settings if self.present else {}
        given = typed(fields_of(self.groups), values)
        settings = given["settings"].items()
        given["settings"] = {
            name: known[name] if str(known.get(name)) == text else text for name, text in settings
        }
        return AppConfigurationObject.model_validate(
            given | {"channel": channel, "platform": platform, "apps": lines(values["apps"])}
        )

    @override
    def judge(self, declared: AppConfigurationObject) -> tuple[Finding, ...]:
        return judge_app_configuration(declared, declared_profiles(self.lab))

    @override
    def submission(self, declared: AppConfigurationObject) -> Submission:
        body = app_configuration_body(declared, others_of(self.policy) if self.policy else ())
        names = [*body.pop(PACKAGES, ()), *body.pop(BUNDLES, ())]
        apps = self._device_app(names[0], declared) if declared.on_devices else _managed_apps(names, declared)
        if ANDROID in body:
            body[PAYLOAD] = payload(names[0], body.pop(ANDROID))
        return Submission({**body, **apps}, [{"target": item} for item in targets(declared)])

    def _device_app(self, name: str, declared: AppConfigurationObject) -> JsonObject:
        found = app_ids(self.lab.store.each(MobileApp), name, is_ios=declared.is_ios)
        if not found:
            raise RefusedError({"apps": [(_NO_APP,)]})
        package: JsonObject = {} if declared.is_ios else {"packageId": f"app:{name}"}
        return {"targetedMobileApps": [*found], **package}


@dataclass(frozen=True)
class ManagedAppConfigurationForm(AppConfigurationForm):
    """The form of a policy for managed apps."""

    entities: ClassVar[Entities[Any]] = MANAGED_CONFIGURATIONS

    @override
    def store(self, submission: Submission) -> TargetedManagedAppConfiguration:
        """The policy is created without its apps, which have an action of their own."""
        own = {name: value for name, value in submission.body.items() if name != _TARGETS}
        targeted = judge(TargetAppsBody, {_TARGETS: submission.body[_TARGETS]})
        with self.lab.store.transaction():
            kept: TargetedManagedAppConfiguration = super().store(replace(submission, body=own))
            MANAGED_CONFIGURATIONS.target(self.lab, kept.id, targeted)
        return kept


def _managed_apps(names: list[str], declared: AppConfigurationObject) -> JsonObject:
    kind, key = (_IOS_APP, "bundleId") if declared.is_ios else (_ANDROID_APP, "packageId")
    identifiers: list[JsonObject] = [{"@odata.type": kind, key: name} for name in names]
    return {_TARGETS: [{"mobileAppIdentifier": item} for item in identifiers]}


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


def _open(lab: Lab, identifier: str) -> AppConfigurationForm:
    policy = next((item for item in _present(lab) if item.id == identifier), None)
    if policy is None:
        raise not_found("app configuration policy", identifier)
    return _form(lab, _kind(policy), policy)


def _form(lab: Lab, kind: str, policy: PresentAppConfiguration | None = None) -> AppConfigurationForm:
    form = ManagedAppConfigurationForm if kind.startswith("apps") else AppConfigurationForm
    return form(lab, kind, policy.found if policy else None, policy)


def _kind(policy: PresentAppConfiguration) -> str:
    return kind_of(policy.channel, policy.declared.platform)


SECTION: Final = AdminSection(
    tab="app-configurations",
    title="App configuration policies",
    what="app configuration policy",
    kinds=KINDS,
    label=_KIND,
    text="Managed devices: one app on enrolled devices. "
    "Managed apps: apps with app protection on any device.",
    columns=lambda _lab: (
        Column[PresentAppConfiguration]("name", "Name", lambda item: item.name),
        Column[PresentAppConfiguration]("kind", _KIND, lambda item: KINDS[_kind(item)], "word"),
        Column[PresentAppConfiguration]("apps", "Targeted apps", lambda item: ", ".join(item.apps)),
    ),
    each=lambda lab: tuple(_present(lab)),
    new=_form,
    open=_open,
)
