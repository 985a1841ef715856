"""Admin center: apps from the stores with their assignments, and app configuration policies."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from mst_admin.objects import app
from mst_admin.objects import app_configuration as policies
from mst_admin.objects.app_configuration_rules import judge_app_configuration
from mst_admin.objects.parts import targets
from mst_admin.objects.profile_wire import profile_object
from mstunnel_lab.admin_center.forms import Values, fields_of, groups_of, lines, shown, typed
from mstunnel_lab.admin_center.profiles import declared_profiles, tunnel_profiles
from mstunnel_lab.admin_center.sections import AdminSection, Column, ObjectForm, RefusedError
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph import apps as graph_apps
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.tenant import wire_intune

KINDS: Final = {
    app.AppPlatform.ANDROID.value: "Managed Google Play app",
    app.AppPlatform.IOS.value: "iOS store app",
}
INTENTS: Final = {
    "required": "Required",
    "available": "Available for enrolled devices",
    "available-without-enrollment": "Available with or without enrollment",
    "uninstall": "Uninstall",
}
POLICY_KINDS: Final = {
    "devices-ios": "Managed devices: iOS/iPadOS",
    "devices-android": "Managed devices: Android Enterprise, all profile types",
    "devices-android-work-profile": "Managed devices: Android Enterprise, personally-owned work profile",
    "devices-android-device-owner": "Managed devices: Android Enterprise, corporate-owned and fully managed",
    "apps-ios": "Managed apps: iOS/iPadOS",
    "apps-android": "Managed apps: Android",
}
"""Channel and platform of app configuration policies."""
_Policy: TypeAlias = wire_intune.MobileAppConfiguration | wire_intune.TargetedManagedAppConfiguration
_POLICY_KIND: Final = "Enrollment type and platform"
_NO_NAME: Final = "-"
"""Stands for the name of an app without an id, which is refused."""


class _AppForm(ObjectForm[wire_intune.MobileApp]):
    """The form of an app: those of managed Google Play have no more than their assignments."""

    entities: Entities[Any] = graph_apps.APPS
    field_of: ClassVar[Mapping[str, str]] = {"assignments": "required_groups"}

    def __init__(self, lab: Lab, kind: str = "", found: wire_intune.MobileApp | None = None) -> None:
        super().__init__(lab, kind, found)
        self.is_ios = kind == app.AppPlatform.IOS
        self.profiles = tunnel_profiles(lab)
        self._information = groups_of("app", kind) if self.is_ios or found is None else ()
        names = [item.display_name for item in self.profiles]
        self._assigned = groups_of("assignments", f"app-{kind}", vpn_profile=[(name, name) for name in names])
        # The fields of an assignment, once for each intent.
        intents = (
            group.renamed(title, f"{name}_") for name, title in INTENTS.items() for group in self._assigned
        )
        self.groups = (*self._information, *intents)
        self.details = {
            "facts": [("Type", KINDS[kind]), ("Package or bundle ID", found.identifier if found else "")]
        }
        if found is None:
            return

        assignments = tuple(lab.store.each(wire_intune.AppAssignment, parent=found.id))
        self._app = app.PresentApp(found, assignments, {item.id: item.display_name for item in self.profiles})
        self.present: app.StoreAppObject | None = app.app_object(self._app)
        self.advice = app.judge_app(self.present)
        self._by_intent = {str(item.intent): item for item in self.present.assignments}
        if len(self._by_intent) < len(self.present.assignments):
            self.obstacle = (
                "The app has several assignments with one intent, which this form cannot show. Use mst-admin."
            )
        self.begin = shown(self._information, self.present)
        for intent in INTENTS:
            self.begin |= shown(self._assigned, self._by_intent.get(intent), f"{intent}_")

    def declared(self, values: Values) -> tuple[app.StoreAppObject, tuple[Finding, ...]]:
        """Return what was typed as an app, judged; what the form does not show of a present app stays."""
        identifier = values.get("id") or (self.present.id if self.present else "")
        given: dict[str, Any] = {
            "name": self.present.name if self.present else identifier or _NO_NAME,
            "id": identifier,
            **{item.name: values[item.name] for item in fields_of(self._information) if item.name != "id"},
            "platform": app.AppPlatform(self.kind),
            "assignments": [],
        }
        for intent in INTENTS:
            assignment = typed(self._assigned, values, f"{intent}_")
            if any(value for name, value in assignment.items() if name != "vpn_profile"):
                before = self._by_intent.get(intent) if self.present else None
                updates = before.updates if before else "default"
                given["assignments"].append({"intent": intent, "updates": updates, **assignment})
        declared = app.StoreAppObject.model_validate(given)
        return declared, app.judge_app(declared, [profile_object(item, ()) for item in self.profiles])

    def bodies(self, declared: app.StoreAppObject) -> tuple[JsonObject, list[JsonObject]]:
        """Return its body, and its assignments with the settings of the store and the ids of VPN profiles."""
        wanted = (
            app.wanted_assignments(declared, self._app) if self.found else [*app.assignment_bodies(declared)]
        )
        ids = {item.display_name: item.id for item in reversed(self.profiles)}
        store = app.IOS_APP if self.is_ios else wire_intune.PLAY_APP
        assignments: list[JsonObject] = []
        for item in wanted:
            settings = {"@odata.type": f"{store}AssignmentSettings", **as_object(item["settings"])}
            if (name := settings.pop(app.VPN, None)) is not None:
                settings[app.VPN_ID] = ids.get(str(name))
            assignments.append({**item, "settings": settings})
        body: JsonObject = app.app_body(declared) if declared.is_ios else {"packageId": declared.id}
        return body, assignments

    def store(self, body: JsonObject, assignments: list[JsonObject]) -> wire_intune.MobileApp:
        """An app of managed Google Play is approved, and has nothing else to write."""
        if self.is_ios:
            return super().store(body, assignments)
        with self.lab.store.transaction():
            kept = graph_apps.add_play_app(self.lab, str(body["packageId"]))
            graph_apps.APPS.assign_to(self.lab, kept.id, assignments)
        return kept


def _open_app(lab: Lab, identifier: str) -> _AppForm:
    found = graph_apps.APPS.find(lab, identifier)
    if not app.is_store_app(found):
        raise not_found(graph_apps.APPS.name, found.id)
    return _AppForm(lab, _platform_of(found), found)


def _platform_of(found: wire_intune.MobileApp) -> app.AppPlatform:
    return app.AppPlatform.ANDROID if found.odata_type == wire_intune.PLAY_APP else app.AppPlatform.IOS


class _AppConfigurationForm(ObjectForm[_Policy]):
    """The form of a policy for devices or apps; one that is there is `policy`, with apps and assignments."""

    def __init__(
        self, lab: Lab, kind: str = "", policy: policies.PresentAppConfiguration | None = None
    ) -> None:
        super().__init__(lab, kind, policy.found if policy else None)
        self.entities = (
            graph_apps.MANAGED_CONFIGURATIONS if kind.startswith("apps") else graph_apps.DEVICE_CONFIGURATIONS
        )
        self.policy = policy
        self.groups = (*groups_of("app_configuration", kind), *groups_of("assignments", kind))
        self.details = {"facts": [(_POLICY_KIND, POLICY_KINDS[kind])]}
        if policy:
            self.present: policies.AppConfigurationObject | None = policies.app_configuration_object(policy)
            self.begin = shown(self.groups, self.present) | {"eu_data_boundary": ""}
            self.advice = judge_app_configuration(self.present, declared_profiles(lab))

    def declared(self, values: Values) -> tuple[policies.AppConfigurationObject, tuple[Finding, ...]]:
        """Return what was typed as a policy, judged; a setting that reads as it did before keeps its type."""
        channel, _, platform = self.kind.partition("-")
        known = self.present.settings if self.present else {}
        given = typed(self.groups, values)
        given["settings"] = {
            name: known[name] if str(known.get(name)) == text else text
            for name, text in given["settings"].items()
        }
        given["channel"] = policies.Channel(f"managed-{channel}")
        given["platform"] = policies.AppConfigurationPlatform(platform)
        given["apps"] = lines(values["apps"])
        declared = policies.AppConfigurationObject.model_validate(given)
        return declared, judge_app_configuration(declared, declared_profiles(self.lab))

    def bodies(self, declared: policies.AppConfigurationObject) -> tuple[JsonObject, list[JsonObject]]:
        """Return its body with the apps as the collection refers to them, and its assignments."""
        body = policies.app_configuration_body(
            declared, policies.others_of(self.policy) if self.policy else ()
        )
        names = [*body.pop(policies.PACKAGES, ()), *body.pop(policies.BUNDLES, ())]
        if declared.on_devices:
            apps = app.app_ids(self.lab.store.each(wire_intune.MobileApp), names[0], is_ios=declared.is_ios)
            if not apps:
                missing = "There is no such app for this platform. Add it among all apps first."
                raise RefusedError({"apps": [(missing,)]})
            body["targetedMobileApps"] = apps
            if not declared.is_ios:
                body["packageId"] = f"app:{names[0]}"
        else:
            kind, key = ("ios", "bundleId") if declared.is_ios else ("android", "packageId")
            kind = f"#microsoft.graph.{kind}MobileAppIdentifier"
            body["apps"] = [{"mobileAppIdentifier": {"@odata.type": kind, key: name}} for name in names]
        if policies.ANDROID in body:
            body[policies.PAYLOAD] = policies.payload(names[0], body.pop(policies.ANDROID))
        return body, [{"target": item} for item in targets(declared)]

    def store(self, body: JsonObject, assignments: list[JsonObject]) -> _Policy:
        """A policy for managed apps is written without its apps, which have an action of their own."""
        own = dict(body)
        if "apps" not in own:
            return super().store(body, assignments)
        targeted = judge(graph_apps.TargetAppsBody, {"apps": own.pop("apps")})
        with self.lab.store.transaction():
            kept = super().store(own, assignments)
            graph_apps.MANAGED_CONFIGURATIONS.target(self.lab, kept.id, targeted)
        return kept


def _policies(lab: Lab) -> Iterator[policies.PresentAppConfiguration]:
    """All app configuration policies of the tenant."""
    apps = {item.id: item for item in lab.store.each(wire_intune.MobileApp)}
    for device in lab.store.each(wire_intune.MobileAppConfiguration):
        assigned = tuple(lab.store.each(wire_intune.AppAssignment, parent=device.id))
        targeted = tuple(apps[item].identifier for item in device.targeted_mobile_apps if item in apps)
        yield policies.PresentAppConfiguration(device, "ios" in device.odata_type, targeted, assigned)
    for managed in lab.store.each(wire_intune.TargetedManagedAppConfiguration):
        found = tuple(lab.store.each(wire_intune.ManagedMobileApp, parent=managed.id))
        is_ios = any("bundleId" in item.mobile_app_identifier for item in found)
        names = tuple(sorted(item.identifier for item in found))
        assigned = tuple(lab.store.each(wire_intune.AppAssignment, parent=managed.id))
        yield policies.PresentAppConfiguration(managed, is_ios, names, assigned)


def _open_policy(lab: Lab, identifier: str) -> _AppConfigurationForm:
    policy = next((item for item in _policies(lab) if item.id == identifier), None)
    if policy is None:
        raise not_found("app configuration policy", identifier)
    return _AppConfigurationForm(lab, _kind_of(policy), policy)


def _kind_of(policy: policies.PresentAppConfiguration) -> str:
    return f"{policy.channel.removeprefix('managed-')}-{policy.declared.platform}"


SECTION: Final = AdminSection(
    tab="apps",
    title="All apps",
    what="app",
    kinds=KINDS,
    label="App type",
    text="Microsoft Tunnel uses Microsoft Defender for Endpoint as its client app.",
    columns=lambda _lab: (
        Column[wire_intune.MobileApp]("name", "Name", lambda item: item.display_name),
        Column[wire_intune.MobileApp]("type", "Type", lambda item: KINDS[_platform_of(item)], "word"),
        Column[wire_intune.MobileApp]("id", "Package or bundle ID", lambda item: item.identifier),
        Column[wire_intune.MobileApp]("publisher", "Publisher", lambda item: item.publisher or ""),
    ),
    each=lambda lab: [item for item in lab.store.each(wire_intune.MobileApp) if app.is_store_app(item)],
    new=_AppForm,
    open=_open_app,
)
POLICY_SECTION: Final = AdminSection(
    tab="app-configurations",
    title="App configuration policies",
    what="app configuration policy",
    kinds=POLICY_KINDS,
    label=_POLICY_KIND,
    text="Managed devices: one app on enrolled devices. "
    "Managed apps: apps with app protection on any device.",
    columns=lambda _lab: (
        Column[policies.PresentAppConfiguration]("name", "Name", lambda item: item.name),
        Column[policies.PresentAppConfiguration](
            "kind", _POLICY_KIND, lambda item: POLICY_KINDS[_kind_of(item)], "word"
        ),
        Column[policies.PresentAppConfiguration]("apps", "Targeted apps", lambda item: ", ".join(item.apps)),
    ),
    each=lambda lab: tuple(_policies(lab)),
    new=_AppConfigurationForm,
    open=_open_policy,
)
ROUTES = [*SECTION.routes, *POLICY_SECTION.routes]
