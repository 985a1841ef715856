"""Between declared apps and the mobileApps of Graph.

Types and values: docs/reference/mst-admin.md. An app of managed Google Play, and one that was licensed in
volume, has nothing but its assignments to write. An assignment names a VPN profile by its name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from mst_admin import findings
from mst_admin.apps.app_objects import AppPlatform, AssignmentObject, StoreAppObject
from mst_admin.apps.objects import DEFENDER
from mst_admin.apps.store import IOS_APP, IOS_APPS
from mst_admin.assignments import (
    TYPE,
    assignees,
    identity,
    is_declarable,
    target_of,
    targets,
    undeclarable_targets,
)
from mst_admin.change import Body, Wire
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import plain
from mstunnel_setup.tenant.wire_apps import PLAY_APP, AppAssignment, MobileApp

VPN: Final = "vpnConfiguration"
"""Name under which the VPN profile of an assignment stands among its settings."""
VPN_ID: Final = "vpnConfigurationId"
_UPDATES: Final = "autoUpdateMode"
_INTENTS: Final = {
    "required": "required",
    "available": "available",
    "available-without-enrollment": "availableWithoutEnrollment",
    "uninstall": "uninstall",
}
_KNOWN_INTENTS: Final = {wire: word for word, wire in _INTENTS.items()}
_MODES: Final = {"default": "default", "postponed": "postponed", "high-priority": "priority"}
_KNOWN_MODES: Final = {wire: word for word, wire in _MODES.items()}
_SAID: Final = frozenset({VPN, _UPDATES})


@dataclass(frozen=True)
class PresentApp:
    """An app of the tenant, its assignments, and the names of VPN profiles by their ids."""

    found: MobileApp
    assignments: tuple[AppAssignment, ...] = ()
    profiles: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.found.display_name

    @property
    def id(self) -> str:
        """Its id in the tenant."""
        return self.found.id

    @property
    def wire(self) -> Body:
        """All properties."""
        return self.found.model_dump(mode="json", by_alias=True)

    @property
    def is_ios(self) -> bool:
        """Whether it is for iOS and iPadOS."""
        return self.found.odata_type in IOS_APPS

    @property
    def key(self) -> str:
        """By what a declared app finds it."""
        return f"{AppPlatform.IOS if self.is_ios else AppPlatform.ANDROID}:{self.found.identifier}".casefold()

    @property
    def has_properties(self) -> bool:
        """Whether Graph lets an administrator write more than assignments."""
        return self.found.odata_type == IOS_APP


def is_store_app(found: MobileApp) -> bool:
    """Whether declarations can speak about the app."""
    return found.odata_type in IOS_APPS | {PLAY_APP}


def is_about_tunnel(present: PresentApp) -> bool:
    """Whether the app is the client of the tunnel, or uses it by a per-app VPN."""
    vpn = any(VPN in _settings(item, present) for item in present.assignments)
    return vpn or present.found.identifier.casefold() == DEFENDER


def app_object(present: PresentApp) -> StoreAppObject:
    """An app of the tenant as it would be written; its values are not judged."""
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
    app = StoreAppObject.model_construct(
        name=present.name,
        platform=AppPlatform.IOS if present.is_ios else AppPlatform.ANDROID,
        id=present.found.identifier,
        assignments=tuple(_assignment_objects(present)),
    )
    return app.model_copy(update=said) if present.has_properties else app


def app_body(declared: StoreAppObject) -> Body:
    """The properties of an app from the App Store, without assignments."""
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
    """The assignments of a declared app, one for each target."""
    for item in declared.assignments:
        settings = {VPN: item.vpn_profile} if declared.is_ios else {_UPDATES: _MODES[item.updates]}
        for target in targets(item):
            yield {"intent": _INTENTS[item.intent], "target": target, "settings": settings}


def present_assignments(present: PresentApp) -> list[Body]:
    """The assignments of an app of the tenant, VPN profiles by their names."""
    return [
        {"intent": item.intent, "target": target_of(item), "settings": _settings(item, present)}
        for item in present.assignments
    ]


def wanted_assignments(declared: StoreAppObject, present: PresentApp) -> list[Body]:
    """The declared assignments, each with what is there already beside it; and those that no file can say.

    A target keeps its filter when its intent changes, too: without it, the app would go to more devices.
    """
    there = {_who(item): item for item in present_assignments(present)}
    known_targets = {identity(item["target"]): item["target"] for item in there.values()}
    wanted = []
    for item in assignment_bodies(declared):
        target = known_targets.get(identity(item["target"]), item["target"])
        known = there.get(_who(item), {**item, "target": target})
        settings = {**known["settings"], **item["settings"]}
        wanted.append({**item, "target": known["target"], "settings": settings})
    return [*wanted, *(item for item in there.values() if not is_declarable(item["target"]))]


def same_assignments(first: Sequence[Wire], second: Sequence[Wire]) -> bool:
    """Whether both assign the same to the same."""
    return {_who(item): _how(item) for item in first} == {_who(item): _how(item) for item in second}


def not_declared(present: PresentApp) -> Iterator[Finding]:
    """What a file cannot say: a tenant that is made from the file does not get it."""
    settings = [setting for item in present.assignments for setting in _settings(item, present).items()]
    lost = [f"{name} of an assignment" for name, value in settings if value and name not in _SAID]
    for what in dict.fromkeys([*lost, *undeclarable_targets(present.assignments)]):
        yield findings.APP_CONFIG_NOT_DECLARABLE(name=plain(present.name), what=plain(what))


def _assignment_objects(present: PresentApp) -> Iterator[AssignmentObject]:
    """The assignments, those together that differ in the target only."""

    def how(item: AppAssignment) -> tuple[str, str, str]:
        settings = _settings(item, present)
        return (
            _KNOWN_INTENTS.get(str(item.intent), "available"),
            str(settings.get(VPN) or ""),
            _KNOWN_MODES.get(str(settings.get(_UPDATES)), "default"),
        )

    for (intent, vpn, updates), items in groupby(sorted(present.assignments, key=how), how):
        yield AssignmentObject.model_construct(
            intent=intent, vpn_profile=vpn or None, updates=updates, **assignees(list(items))
        )


def _settings(item: AppAssignment, present: PresentApp) -> Body:
    """The settings of an assignment; a VPN profile that is not for Microsoft Tunnel stays there by its id."""
    raw = (item.settings or {}).items()
    there = {name: value for name, value in raw if name != TYPE and value is not None}
    name = present.profiles.get(str(there.get(VPN_ID)))
    if name is not None:
        there = {key: value for key, value in there.items() if key != VPN_ID} | {VPN: name}
    return there


def _who(item: Wire) -> tuple[str, tuple[str, str]]:
    return str(item["intent"]), identity(item["target"])


def _how(item: Wire) -> tuple[str, str]:
    settings = item["settings"]
    return str(settings.get(VPN) or "").casefold(), str(settings.get(_UPDATES) or "default")
