"""Apps: their declared form, their Graph form and their rules.

Types and values: docs/reference/mst-admin.md. Of an app of managed Google Play and of a volume-licensed
one, only assignments can be written. Declared assignments refer to VPN profiles by name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Final, Literal

from pydantic import Field

from mst_admin.change import TYPE, Body, Wire, identity
from mst_admin.objects import parts
from mst_admin.objects.app_configuration import APP_CONFIG_NOT_DECLARABLE, DEFENDER
from mst_admin.objects.profile import ProfileObject
from mst_admin.objects.profile_rules import PACKAGE
from mstunnel_setup.answers.finding import Finding, declare_finding, finding
from mstunnel_setup.answers.values import Line, Part, matching
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.wire_intune import PLAY_APP, AppAssignment, MobileApp

IOS_APP: Final = "#microsoft.graph.iosStoreApp"
IOS_APPS: Final = frozenset({IOS_APP, "#microsoft.graph.iosVppApp"})


def app_ids(apps: Iterable[MobileApp], name: str, *, is_ios: bool) -> list[str]:
    """Return the tenant ids of the app with this package or bundle id; iOS apps can be in two stores."""
    types = IOS_APPS if is_ios else {PLAY_APP}
    return [
        app.id for app in apps if app.odata_type in types and app.identifier.casefold() == name.casefold()
    ]


class AppPlatform(StrEnum):
    """The store of an app."""

    ANDROID = "android"
    IOS = "ios"


OsVersion = Annotated[str, matching(r"[0-9]{1,2}\.0", "must be a version such as `16.0`: correct it")]


class AssignmentObject(Part):
    """The groups that get the app, and how."""

    intent: Literal["required", "available", "available-without-enrollment", "uninstall"] = Field(
        description="required, available, available-without-enrollment or uninstall"
    )
    all_users: parts.AllUsers = False
    all_devices: parts.AllDevices = False
    groups: parts.Groups = ()
    excluded_groups: parts.ExcludedGroups = ()
    vpn_profile: Line | None = Field(
        default=None, description="iOS: name of the per-app VPN profile whose tunnel the app uses"
    )
    updates: Literal["default", "postponed", "high-priority"] = Field(
        default="default", description="Android: when the app is updated"
    )


class StoreAppObject(parts.NamedObject):
    """An app from the App Store or from managed Google Play."""

    platform: AppPlatform = Field(description="android or ios")
    id: str = Field(description="Package or bundle id", examples=["com.microsoft.scmx"])
    description: str = Field(default="", description="iOS: description")
    publisher: str = Field(default="", description="iOS: publisher")
    store_url: str = Field(default="", description="iOS: page in the App Store")
    minimum_os: OsVersion = Field(default="16.0", description="iOS: oldest version that gets the app")
    assignments: tuple[AssignmentObject, ...] = Field(default=(), description="Who gets the app")
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="iOS: ids of scope tags")

    @property
    def is_ios(self) -> bool:
        """Return whether the app is for iOS and iPadOS."""
        return self.platform is AppPlatform.IOS

    @property
    def key(self) -> str:
        """The identity of the app: its store and its id there."""
        return f"{self.platform}:{self.id}".casefold()


class StoreAppFile(StoreAppObject):
    """A file with one app."""

    version: Literal[1] = Field(description="Version of this format")


APP_KEY = declare_finding("platform", "app-key", "{key} is only for {other}", "Remove it.")
APP_CONFIG_APP_ID = declare_finding(
    "apps",
    "app-config-app-id",
    "“{name}” is not a package name or bundle ID",
    "Write one such as com.microsoft.scmx.",
)


VPN: Final = "vpnConfiguration"
"""Key of the VPN profile among the settings of an assignment."""
VPN_ID: Final = "vpnConfigurationId"
_UPDATES: Final = "autoUpdateMode"
_INTENTS: Final = {name: name for name in ("required", "available", "uninstall")} | {
    "available-without-enrollment": "availableWithoutEnrollment"
}
_KNOWN_INTENTS: Final = {wire: word for word, wire in _INTENTS.items()}
_MODES: Final = {"default": "default", "postponed": "postponed", "high-priority": "priority"}
_KNOWN_MODES: Final = {wire: word for word, wire in _MODES.items()}


@dataclass(frozen=True)
class PresentApp(parts.PresentObject):
    """An app of the tenant with its assignments, and the names of VPN profiles by id."""

    found: MobileApp
    assignments: tuple[AppAssignment, ...] = ()
    profiles: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ios(self) -> bool:
        """Return whether it is for iOS and iPadOS."""
        return self.found.odata_type in IOS_APPS

    @property
    def key(self) -> str:
        """The identity that a declared app is matched by."""
        return f"{AppPlatform.IOS if self.is_ios else AppPlatform.ANDROID}:{self.found.identifier}".casefold()

    @property
    def has_properties(self) -> bool:
        """Return whether Graph accepts changes of properties, not only of assignments."""
        return self.found.odata_type == IOS_APP


def is_store_app(found: MobileApp) -> bool:
    """True if declarations can describe the app."""
    return found.odata_type in IOS_APPS | {PLAY_APP}


def is_tunnel_app(present: PresentApp) -> bool:
    """True if the app is the tunnel's client or uses it by per-app VPN."""
    vpn = any(VPN in _settings(item, present) for item in present.assignments)
    return vpn or present.found.identifier.casefold() == DEFENDER


def app_object(present: PresentApp) -> StoreAppObject:
    """Return an app of the tenant in declaration form, without validation."""
    wire = present.found.model_extra or {}
    oldest = wire.get("minimumSupportedOperatingSystem") or {}
    versions = [name for name, value in oldest.items() if value is True]
    said = {
        "description": present.found.description or "",
        "publisher": present.found.publisher or "",
        "store_url": str(wire.get("appStoreUrl") or ""),
        "minimum_os": versions[0].removeprefix("v").replace("_", ".") if versions else "16.0",
        "role_scope_tag_ids": present.found.role_scope_tag_ids or ("0",),
    }

    def how(item: AppAssignment) -> tuple[str, str, str]:
        settings = _settings(item, present)
        return (
            _KNOWN_INTENTS.get(str(item.intent), "available"),
            str(settings.get(VPN) or ""),
            _KNOWN_MODES.get(str(settings.get(_UPDATES)), "default"),
        )

    # Assignments that differ only in their target are declared as one.
    assignments = [
        AssignmentObject.model_construct(
            intent=intent, vpn_profile=vpn or None, updates=updates, **parts.assignees(list(items))
        )
        for (intent, vpn, updates), items in groupby(sorted(present.assignments, key=how), how)
    ]
    app = StoreAppObject.model_construct(
        name=present.name,
        platform=AppPlatform.IOS if present.is_ios else AppPlatform.ANDROID,
        id=present.found.identifier,
        assignments=tuple(assignments),
    )
    return app.model_copy(update=said) if present.has_properties else app


def app_body(declared: StoreAppObject) -> Body:
    """Return the properties of an app from the App Store, without assignments."""
    return {
        TYPE: IOS_APP,
        "displayName": declared.name,
        "description": declared.description or None,
        "publisher": declared.publisher,
        "bundleId": declared.id,
        "appStoreUrl": declared.store_url,
        "applicableDeviceType": {"iPad": True, "iPhoneAndIPod": True},
        "minimumSupportedOperatingSystem": {f"v{declared.minimum_os.replace('.', '_')}": True},
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
    }


def assignment_bodies(declared: StoreAppObject) -> Iterator[Body]:
    """Return the assignments of a declared app, one for each target."""
    for item in declared.assignments:
        settings = {VPN: item.vpn_profile} if declared.is_ios else {_UPDATES: _MODES[item.updates]}
        for target in parts.targets(item):
            yield {"intent": _INTENTS[item.intent], "target": target, "settings": settings}


def present_assignments(present: PresentApp) -> list[Body]:
    """Return the assignments of an app of the tenant, with VPN profiles by name."""
    return [
        {"intent": item.intent, "target": parts.target_of(item), "settings": _settings(item, present)}
        for item in present.assignments
    ]


def wanted_assignments(declared: StoreAppObject, present: PresentApp) -> list[Body]:
    """Return the declared assignments, merged with the tenant's, and those that no file can express.

    A target keeps its filter even if its intent changes: without it, more devices would get the app.
    """
    there = {_who(item): item for item in present_assignments(present)}
    known_targets = {identity(item["target"]): item["target"] for item in there.values()}
    wanted = []
    for item in assignment_bodies(declared):
        target = known_targets.get(identity(item["target"]), item["target"])
        known = there.get(_who(item), {**item, "target": target})
        settings = {**known["settings"], **item["settings"]}
        wanted.append({**item, "target": known["target"], "settings": settings})
    return [*wanted, *(item for item in there.values() if not parts.is_declarable(item["target"]))]


def same_assignments(first: Sequence[Wire], second: Sequence[Wire]) -> bool:
    """Return whether two lists assign the same to the same targets, in any order."""

    def how(assignments: Sequence[Wire]) -> dict[tuple[str, tuple[str, str]], tuple[str, str]]:
        settings = {_who(item): item["settings"] for item in assignments}
        return {
            who: (str(said.get(VPN) or "").casefold(), str(said.get(_UPDATES) or "default"))
            for who, said in settings.items()
        }

    return how(first) == how(second)


def app_not_declared(present: PresentApp) -> Iterator[Finding]:
    """Return warnings about properties that a file cannot express and so would be lost in another tenant."""
    settings = [setting for item in present.assignments for setting in _settings(item, present).items()]
    lost = [f"{name} of an assignment" for name, value in settings if value and name not in {VPN, _UPDATES}]
    for what in dict.fromkeys([*lost, *parts.undeclarable_targets(present.assignments)]):
        yield APP_CONFIG_NOT_DECLARABLE(name=plain(present.name), what=plain(what))


def _settings(item: AppAssignment, present: PresentApp) -> Body:
    """Return the settings of an assignment; a VPN profile of another product is kept by its id."""
    raw = (item.settings or {}).items()
    there = {name: value for name, value in raw if name != TYPE and value is not None}
    name = present.profiles.get(str(there.get(VPN_ID)))
    if name is not None:
        there = {key: value for key, value in there.items() if key != VPN_ID} | {VPN: name}
    return there


def _who(item: Wire) -> tuple[str, tuple[str, str]]:
    return str(item["intent"]), identity(item["target"])


def judge_app(declared: StoreAppObject, profiles: Iterable[ProfileObject] = ()) -> tuple[Finding, ...]:
    """Return all findings about an app; `profiles` has the known VPN profiles."""
    return (*_properties(declared), *_assignments(declared, profiles))


def judge_per_app(profile: ProfileObject, apps: Iterable[StoreAppObject]) -> Iterator[Finding]:
    """Return a finding if no declared app uses a per-app VPN profile."""
    named = {item.vpn_profile.casefold() for app in apps for item in app.assignments if item.vpn_profile}
    if profile.is_ios and profile.per_app and profile.name.casefold() not in named:
        yield finding(
            "per_app",
            "per-app-without-app",
            "no declared app is assigned with the per-app VPN profile {profile}, so none of them uses it",
            hint="Name it as vpn_profile in the assignments of the apps that use the tunnel.",
            fatal=False,
            profile=profile.name,
        )


def _properties(declared: StoreAppObject) -> Iterator[Finding]:
    if not PACKAGE.fullmatch(declared.id):
        yield APP_CONFIG_APP_ID(name=declared.id[:80]).at("id")
    if declared.is_ios:
        if not declared.publisher:
            yield finding(
                "publisher",
                "app-incomplete",
                "an app for iOS needs {key}",
                hint="Copy it from the page in the App Store.",
                key="publisher",
            )
        if not declared.store_url.startswith("https://"):
            yield finding(
                "store_url",
                "app-store-url",
                "store_url is “{url}”: it is not an https address",
                hint="Write the address of the page in the App Store.",
                url=declared.store_url[:80],
            )
        return
    for key in ("description", "publisher", "store_url"):
        if getattr(declared, key):
            yield APP_KEY(key=key, other=text("apps for iOS")).at(key)


def _assignments(declared: StoreAppObject, profiles: Iterable[ProfileObject]) -> Iterator[Finding]:
    for item in declared.assignments:
        for found in parts.judge_assignment(item, "app"):
            yield found.at("assignments")
        if item.vpn_profile and not declared.is_ios:
            yield APP_KEY(key="vpn_profile", other=text("apps for iOS")).at("assignments")
        if item.updates != "default" and declared.is_ios:
            yield APP_KEY(key="updates", other=text("apps for Android")).at("assignments")
    all_targets = Counter(identity(target) for item in declared.assignments for target in parts.targets(item))
    for (kind, group), count in all_targets.items():
        if count > 1:
            yield finding(
                "assignments",
                "app-assigned-twice",
                "{target} is in more than one assignment",
                hint="Remove it from all but one of them.",
                target=group or kind.rpartition(".")[2],
            )
    if not declared.assignments:
        yield finding(
            "assignments",
            "app-not-assigned",
            "the app is not assigned to any user",
            hint="Add assignments.",
            fatal=False,
        )
    known = {item.name.casefold(): item for item in profiles}
    for item in declared.assignments:
        profile = known.get((item.vpn_profile or "").casefold())
        if profile is not None and not (profile.is_ios and profile.per_app):
            yield finding(
                "assignments",
                "app-vpn-not-per-app",
                "the VPN profile {profile} is not a per-app VPN for iOS",
                hint="Name a VPN profile with per_app: true, or remove vpn_profile.",
                profile=profile.name,
            )
