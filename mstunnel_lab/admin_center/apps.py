"""Admin center: apps from the stores, among them the client app of the tunnel, and their assignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from typing_extensions import override

from mst_admin.objects.app import (
    VPN,
    VPN_ID,
    AppPlatform,
    AssignmentObject,
    PresentApp,
    StoreAppObject,
    app_body,
    app_object,
    assignment_bodies,
    is_store_app,
    judge_app,
    wanted_assignments,
)
from mst_admin.objects.app_configuration import DEFENDER
from mst_admin.objects.profile_wire import profile_object
from mstunnel_lab.admin_center.forms import (
    ASSIGNMENT_FIELDS,
    Field,
    FieldGroup,
    Values,
    empty,
    renamed,
    shown,
    typed,
)
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.profiles import tunnel_profiles
from mstunnel_lab.admin_center.sections import AdminSection, ObjectForm, Submission
from mstunnel_lab.errors import CONFLICT, GraphError, not_found
from mstunnel_lab.graph.apps import APPS, add_play_app
from mstunnel_lab.graph.entities import Entities
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.tenant.wire_apps import PLAY_APP, AppAssignment, MobileApp

KINDS: Final = {
    AppPlatform.ANDROID.value: "Managed Google Play app",
    AppPlatform.IOS.value: "iOS store app",
}
INTENTS: Final = {
    "required": "Required",
    "available": "Available for enrolled devices",
    "available-without-enrollment": "Available with or without enrollment",
    "uninstall": "Uninstall",
}
_SEVERAL: Final = (
    "The app has several assignments with one intent, which this form cannot show. Use mst-admin."
)
_NO_NAME: Final = "-"
"""Stands for the name of an app without an id, which is refused."""
_ID: Final = Field(
    "id",
    "Package or bundle ID",
    hint="com.microsoft.scmx is Microsoft Defender, the client app of Microsoft Tunnel.",
    required=True,
)
_IOS: Final = (
    Field("name", "Name", hint="Name of the app in the admin center.", required=True),
    Field("description", "Description (optional)", hint="What the app is for."),
    Field("publisher", "Publisher", hint="Copy it from the App Store.", required=True),
    Field("store_url", "Appstore URL", hint="Address of the page in the App Store.", required=True),
    Field("minimum_os", "Minimum operating system", hint="Oldest version that gets the app, such as 16.0."),
)
_DEFAULTS: Final = {
    "id": DEFENDER,
    "name": "Microsoft Defender: Security",
    "publisher": "Microsoft Corporation",
    "store_url": "https://apps.apple.com/app/id1526737990",
    "minimum_os": "16.0",
}
"""What the form begins with: the client of the tunnel."""


def groups(platform: AppPlatform, profiles: Sequence[str], *, is_new: bool) -> tuple[FieldGroup, ...]:
    """Return the fields for a platform, with the names of VPN profiles that an app can be assigned with."""
    own = _IOS if platform is AppPlatform.IOS else ()
    information = FieldGroup("App information", (_ID, *own) if is_new or own else ())
    assignments = (
        FieldGroup(
            title,
            tuple(renamed(item, f"{intent}_{item.name}") for item in _assigned_fields(platform, profiles)),
        )
        for intent, title in INTENTS.items()
    )
    return tuple(group for group in (information, *assignments) if group.fields)


def _assigned_fields(platform: AppPlatform, profiles: Sequence[str]) -> tuple[Field, ...]:
    if platform is not AppPlatform.IOS:
        return ASSIGNMENT_FIELDS
    choices = tuple((name, name) for name in profiles)
    hint = "The per-app VPN profile whose tunnel the app uses."
    return (*ASSIGNMENT_FIELDS, Field("vpn_profile", "VPN", "select", hint=hint, choices=choices))


@dataclass(frozen=True)
class AppForm(ObjectForm[MobileApp]):
    """The form of an app: those of managed Google Play have no more than their assignments."""

    entities: ClassVar[Entities[Any]] = APPS
    field_of: ClassVar[Mapping[str, str]] = {"assignments": "required_groups"}

    @property
    def _platform(self) -> AppPlatform:
        return AppPlatform(self.kind)

    @property
    @override
    def groups(self) -> tuple[FieldGroup, ...]:
        names = [item.display_name for item in tunnel_profiles(self.lab)]
        return groups(self._platform, names, is_new=self.found is None)

    @property
    def _present(self) -> PresentApp | None:
        if self.found is None:
            return None
        names = {item.id: item.display_name for item in tunnel_profiles(self.lab)}
        return PresentApp(self.found, self.lab.store.each(AppAssignment, parent=self.found.id), names)

    @property
    @override
    def present(self) -> StoreAppObject | None:
        return app_object(self._present) if self._present else None

    @property
    @override
    def begin(self) -> Values:
        values, found = empty(self.groups), self.present
        if found is None:
            return {name: _DEFAULTS.get(name, "") for name in values}
        values |= shown((_ID, *_IOS), found)
        by_intent: dict[str, AssignmentObject] = {item.intent: item for item in found.assignments}
        for intent in INTENTS:
            values |= shown(_assigned_fields(self._platform, ()), by_intent.get(intent), f"{intent}_")
        return values

    @property
    @override
    def details(self) -> Mapping[str, object]:
        identifier = self.found.identifier if self.found else ""
        return {"facts": [("Type", KINDS[self.kind]), ("Package or bundle ID", identifier)]}

    @property
    @override
    def advice(self) -> tuple[Finding, ...]:
        return judge_app(self.present) if self.present else ()

    @override
    def require_editable(self) -> None:
        intents = [item.intent for item in self.present.assignments] if self.present else []
        if len(set(intents)) < len(intents):
            raise GraphError(CONFLICT, "Conflict", _SEVERAL)

    @override
    def declared(self, values: Values) -> StoreAppObject:
        """What the form does not show of a present app stays."""
        present = self.present
        identifier = values.get("id") or (present.id if present else "")
        name = present.name if present else identifier or _NO_NAME
        texts = {item.name: values[item.name] for item in _IOS if item.name in values}
        assignments = [self._assignment(intent, values, present) for intent in INTENTS]
        given = {"name": name, "id": identifier, **texts, "platform": self._platform}
        return StoreAppObject.model_validate(given | {"assignments": [item for item in assignments if item]})

    def _assignment(self, intent: str, values: Values, present: StoreAppObject | None) -> JsonObject:
        """An assignment as it was typed; nothing for one to nobody."""
        if not any(typed(ASSIGNMENT_FIELDS, values, f"{intent}_").values()):
            return {}
        there = (
            next((item for item in present.assignments if item.intent == intent), None) if present else None
        )
        given = typed(_assigned_fields(self._platform, ()), values, f"{intent}_")
        return {"intent": intent, "updates": there.updates if there else "default", **given}

    @override
    def judge(self, declared: StoreAppObject) -> tuple[Finding, ...]:
        return judge_app(declared, [profile_object(item, ()) for item in tunnel_profiles(self.lab)])

    @override
    def submission(self, declared: StoreAppObject) -> Submission:
        present = self._present
        kept = wanted_assignments(declared, present) if present else [*assignment_bodies(declared)]
        body: JsonObject = app_body(declared) if declared.is_ios else {"packageId": declared.id}
        return Submission(body, [self._assigned(item) for item in kept])

    def _assigned(self, item: JsonObject) -> JsonObject:
        """An assignment with the settings of the store, and the id of the VPN profile that it names."""
        settings = dict(as_object(item["settings"]))
        if (name := settings.pop(VPN, None)) is not None:
            named = (found.id for found in tunnel_profiles(self.lab) if found.display_name == name)
            settings[VPN_ID] = next(named, None)
        store = "#microsoft.graph.iosStoreApp" if self._platform is AppPlatform.IOS else PLAY_APP
        return {**item, "settings": {"@odata.type": f"{store}AssignmentSettings", **settings}}

    @override
    def store(self, submission: Submission) -> MobileApp:
        """An app of managed Google Play is approved, and has nothing else to write."""
        if self._platform is AppPlatform.IOS:
            return super().store(submission)
        with self.lab.store.transaction():
            kept = add_play_app(self.lab, str(submission.body["packageId"]))
            APPS.assign_to(self.lab, kept.id, submission.assignments)
        return kept


def _open(lab: Lab, identifier: str) -> AppForm:
    found = APPS.find(lab, identifier)
    if not is_store_app(found):
        raise not_found(APPS.name, found.id)
    return AppForm(lab, _platform_of(found), found)


def _platform_of(found: MobileApp) -> AppPlatform:
    return AppPlatform.ANDROID if found.odata_type == PLAY_APP else AppPlatform.IOS


SECTION: Final = AdminSection(
    tab="apps",
    title="All apps",
    what="app",
    kinds=KINDS,
    label="App type",
    text="Microsoft Tunnel uses Microsoft Defender for Endpoint as its client app.",
    columns=lambda _lab: (
        Column[MobileApp]("name", "Name", lambda item: item.display_name),
        Column[MobileApp]("type", "Type", lambda item: KINDS[_platform_of(item)], "word"),
        Column[MobileApp]("id", "Package or bundle ID", lambda item: item.identifier),
        Column[MobileApp]("publisher", "Publisher", lambda item: item.publisher or ""),
    ),
    each=lambda lab: [item for item in lab.store.each(MobileApp) if is_store_app(item)],
    new=AppForm,
    open=_open,
)
