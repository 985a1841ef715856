"""Between app configurations and the objects of Graph, which has two collections of them.

Types and values: docs/reference/mst-admin.md. A body names apps by their ids in the store; `carry_out` finds
the ids that the tenant has for them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mst_admin.apps import findings, settings_wire
from mst_admin.apps.objects import DEFENDER, AppConfigurationObject, Channel, Platform
from mst_admin.assignments import TYPE, assignees, undeclarable_targets
from mst_admin.change import Body, Wire
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.wire_apps import (
    AppAssignment,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

PACKAGES: Final = "packageIds"
BUNDLES: Final = "bundleIds"
"""Names under which the ids of apps stand among the properties, on Android and on iOS."""

IOS_TYPE: Final = "#microsoft.graph.iosMobileAppConfiguration"
ANDROID_TYPE: Final = "#microsoft.graph.androidManagedStoreAppConfiguration"
MANAGED_TYPE: Final = "#microsoft.graph.targetedManagedAppConfiguration"
ENCODED: Final = "encodedSettingXml"
_ACTIONS: Final = {"prompt": "prompt", "grant": "autoGrant", "deny": "autoDeny"}
_KNOWN_ACTIONS: Final = {wire: word for word, wire in _ACTIONS.items()}
_APPLICABILITY: Final = {
    Platform.ANDROID: "default",
    Platform.ANDROID_WORK_PROFILE: "androidWorkProfile",
    Platform.ANDROID_DEVICE_OWNER: "androidDeviceOwner",
}
_PLATFORMS: Final = {wire: platform for platform, wire in _APPLICABILITY.items()}

TUNNEL_KEYS: Final = "com.microsoft.tunnel."
"""How the names of all settings of the tunnel begin."""
_EDGE_KEYS: Final = "com.microsoft.intune.mam.managedbrowser."
STRICT_KEY: Final = text("{edge_keys}StrictTunnelMode", edge_keys=_EDGE_KEYS)
AVAILABLE_KEY: Final = text("{edge_keys}TunnelAvailable.IntuneMAMOnly", edge_keys=_EDGE_KEYS)
"""The two settings of Edge about its use of the tunnel: the names of all its others begin like these."""


@dataclass(frozen=True)
class PresentAppConfiguration:
    """An app configuration of the tenant, its apps by their ids in the store, and its assignments."""

    found: MobileAppConfiguration | TargetedManagedAppConfiguration
    is_ios: bool
    apps: tuple[str, ...] = ()
    assignments: tuple[AppAssignment, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.found.display_name

    @property
    def id(self) -> str:
        """Its id in the tenant."""
        return self.found.id

    @property
    def channel(self) -> Channel:
        """How it reaches its apps."""
        return Channel.DEVICES if isinstance(self.found, MobileAppConfiguration) else Channel.APPS

    @property
    def wire(self) -> Body:
        """All properties."""
        return self.found.model_dump(mode="json", by_alias=True)

    @property
    def entries(self) -> list[Body]:
        """The settings, also those that no file can say."""
        return settings_wire.present_entries(settings_wire.list_of(self.declared), self.wire)

    @property
    def declared(self) -> AppConfigurationObject:
        """It as it would be written, without its settings; values are not judged."""
        wire = self.found.model_extra or {}
        android = _PLATFORMS.get(str(wire.get("profileApplicability")), Platform.ANDROID)
        return AppConfigurationObject.model_construct(
            channel=self.channel,
            platform=Platform.IOS if self.is_ios else android,
            name=self.found.display_name,
            description=self.found.description or "",
            apps=self.apps,
            permissions=dict(_permissions(wire)),
            role_scope_tag_ids=self.found.role_scope_tag_ids or ("0",),
            **assignees(self.assignments),
        )


def app_configuration_object(present: PresentAppConfiguration) -> AppConfigurationObject:
    """An app configuration of the tenant as it would be written; its values are not judged."""
    kind = settings_wire.list_of(present.declared)
    said = [settings_wire.setting_of(kind, item) for item in present.entries]
    return present.declared.model_copy(update={"settings": dict(item for item in said if item)})


def others_of(present: PresentAppConfiguration) -> list[Body]:
    """The entries of the settings that no file can say."""
    kind = settings_wire.list_of(present.declared)
    return [item for item in present.entries if settings_wire.setting_of(kind, item) is None]


def app_configuration_body(declared: AppConfigurationObject, others: Iterable[Wire] = ()) -> Body:
    """The body of an app configuration; `others` are entries that no file can say."""
    common = {
        TYPE: _type(declared),
        "displayName": declared.name,
        "description": declared.description or None,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        BUNDLES if declared.is_ios else PACKAGES: sorted(declared.apps),
        settings_wire.list_of(declared): settings_wire.entries(declared, others),
    }
    if not declared.on_devices:
        return common
    if declared.is_ios:
        return {**common, ENCODED: None}
    return {
        **common,
        "profileApplicability": _APPLICABILITY[declared.platform],
        "permissionActions": [
            {"permission": name, "action": _ACTIONS[action]}
            for name, action in sorted(declared.permissions.items())
        ],
    }


def is_about_tunnel(present: PresentAppConfiguration) -> bool:
    """Whether an app configuration of the tenant is for Defender, or has settings of the tunnel."""
    names = [str(item.get("name") or "") for item in present.entries]
    of_edge = not {STRICT_KEY, AVAILABLE_KEY}.isdisjoint(names)
    return DEFENDER in present.apps or of_edge or any(name.startswith(TUNNEL_KEYS) for name in names)


def not_declared(present: PresentAppConfiguration) -> Iterator[Finding]:
    """What a file cannot say: a tenant that is made from the file does not get it."""
    for what in _lost(present):
        yield findings.APP_CONFIG_NOT_DECLARABLE(name=plain(present.name), what=plain(what))


def _lost(present: PresentAppConfiguration) -> Iterator[str]:
    for entry in others_of(present):
        yield text("the setting {key}", key=entry.get("appConfigKey") or entry.get("key"))
    for name in (ENCODED, "connectedAppsEnabled"):
        if present.wire.get(name):
            yield name
    yield from undeclarable_targets(present.assignments)


def _type(declared: AppConfigurationObject) -> str:
    if not declared.on_devices:
        return MANAGED_TYPE
    return IOS_TYPE if declared.is_ios else ANDROID_TYPE


def _permissions(wire: Wire) -> Iterator[tuple[str, str]]:
    for item in wire.get("permissionActions") or ():
        yield str(item.get("permission")), _KNOWN_ACTIONS.get(str(item.get("action")), "prompt")
