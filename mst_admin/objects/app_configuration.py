"""App configurations: their declared form, and their form in the two collections of Graph.

Types and values: docs/reference/mst-admin.md. A body refers to apps by store id; its kind looks up the
tenant's ids. Graph has three formats of settings, by platform and channel: each entry of a list is one
setting, and some entries cannot be expressed in a file.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, PlainValidator, StrictBool, WithJsonSchema

from mst_admin.change import TYPE, Body, Wire
from mst_admin.objects import parts
from mst_admin.objects.profile import as_documented
from mstunnel_setup.answers.finding import Finding, declare_finding
from mstunnel_setup.base.parsing import json_value, signed_number
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.wire_intune import (
    AppAssignment,
    MobileAppConfiguration,
    TargetedManagedAppConfiguration,
)

DEFENDER: Final = "com.microsoft.scmx"
"""Package and bundle id of Microsoft Defender, the client of the tunnel."""


def _setting(value: object) -> bool | int | str:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be text, a whole number or true/false: write one value")  # noqa: TRY004 (pydantic's protocol)
    return value


AppSetting = Annotated[
    bool | int | str, PlainValidator(_setting), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]


class Channel(StrEnum):
    """The way in which a configuration reaches an app: management of the device, or of the app alone."""

    DEVICES = "managed-devices"
    APPS = "managed-apps"


class AppConfigurationPlatform(StrEnum):
    """For which devices an app configuration is."""

    ANDROID = "android"
    ANDROID_WORK_PROFILE = "android-work-profile"
    ANDROID_DEVICE_OWNER = "android-device-owner"
    IOS = "ios"


class AppConfigurationObject(parts.NamedObject):
    """The settings of an app: on enrolled devices, or wherever it is managed."""

    channel: Channel = Field(
        description="managed-devices: enrolled devices. managed-apps: apps with app protection, on any device"
    )
    platform: AppConfigurationPlatform = Field(
        description="ios, android, or of managed devices only android-work-profile or android-device-owner"
    )
    description: str = Field(default="", description="Description")
    apps: tuple[str, ...] = Field(
        default=(DEFENDER,), description="Package or bundle ids; the default is Microsoft Defender"
    )
    settings: dict[str, AppSetting] = Field(default_factory=dict, description="The settings")
    permissions: dict[str, Literal["prompt", "grant", "deny"]] = Field(
        default_factory=dict, description="Android, managed devices: permissions of the app"
    )
    eu_data_boundary: StrictBool = Field(default=False, description="Keep data in the EU data boundary")
    all_users: parts.AllUsers = False
    all_devices: parts.AllDevices = False
    groups: parts.Groups = ()
    excluded_groups: parts.ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")

    @property
    def is_ios(self) -> bool:
        """Return whether the app configuration is for iOS and iPadOS."""
        return self.platform is AppConfigurationPlatform.IOS

    @property
    def on_devices(self) -> bool:
        """Return whether enrolled devices deliver it."""
        return self.channel is Channel.DEVICES

    @property
    def for_defender(self) -> bool:
        """Return whether Microsoft Defender is among the apps."""
        return DEFENDER in self.apps


class AppConfigurationFile(AppConfigurationObject):
    """A file with one app configuration."""

    version: Literal[1] = Field(description="Version of this format")


Value: TypeAlias = bool | int | str
_TRUTH: Final = ("true", "false")
_SWITCH: Final = ("0", "1")


@dataclass(frozen=True)
class KnownSetting:
    """A documented setting: the type that Defender expects, and its allowed values in lower case, if any."""

    type: type[Value]
    allowed: tuple[str, ...] = ()


_FLAG: Final = KnownSetting(str, _TRUTH)
_NUMBER: Final = KnownSetting(int, _SWITCH)
_LEVEL: Final = KnownSetting(int, ("0", "1", "2", "3"))
GLOBAL_SECURE_ACCESS: Final = "Global Secure Access"
"""The setting that turns on Global Secure Access on Android, unless it is 0."""
_ACCESS: Final = {GLOBAL_SECURE_ACCESS: _LEVEL, "GlobalSecureAccessPrivateChannel": _LEVEL}
_IOS: Final = {"WebProtection": _FLAG, "AutoOnboard": _FLAG, "DefenderNetworkProtectionEnable": _FLAG}
DEFENDER_KEYS: Final[Mapping[tuple[Channel, bool], Mapping[str, KnownSetting]]] = {
    (Channel.DEVICES, True): {
        "TunnelOnly": _FLAG,
        **_IOS,
        "issupervised": KnownSetting(str),
        "UserEnrollmentEnabled": _FLAG,
        "DefenderExcludeURLInReport": KnownSetting(bool, _TRUTH),
    },
    (Channel.APPS, True): _IOS,
    (Channel.DEVICES, False): {"antiphishing": _NUMBER, "vpn": _NUMBER, **_ACCESS},
    (Channel.APPS, False): {
        "DefenderMAMConfigs": KnownSetting(int, ("1",)),
        "antiphishing": _NUMBER,
        "vpn": _NUMBER,
        "DefenderNetworkProtectionEnable": _NUMBER,
        "DefenderOptionalVPN": _NUMBER,
        "DefenderOptionalAccessibility": _NUMBER,
        "DisableSignOut": _NUMBER,
        "DefenderDeviceTag": KnownSetting(str),
        "DefenderAllowlistedCACertificates": KnownSetting(str),
        **_ACCESS,
    },
}
"""The known settings by channel and whether the platform is iOS."""


def known_keys(declared: AppConfigurationObject) -> Mapping[str, KnownSetting]:
    """Return the documented settings of an app configuration; empty if it is not for Defender."""
    return DEFENDER_KEYS[declared.channel, declared.is_ios] if declared.for_defender else {}


def as_written(declared: AppConfigurationObject) -> AppConfigurationObject:
    """Return the app configuration with the settings of Defender on Android under their documented keys."""
    if declared.is_ios or not declared.for_defender:
        return declared
    return declared.model_copy(update={"settings": as_documented(declared.settings)})


def allows(key: KnownSetting, value: Value) -> bool:
    """Return whether a setting can have this value, in any YAML type that can express it."""
    return not key.allowed or str(value).lower() in key.allowed


def typed(declared: AppConfigurationObject, name: str) -> Value:
    """Return a value in the type that the app reads; that of an undocumented setting is unchanged."""
    value, key = declared.settings[name], known_keys(declared).get(name)
    if key is None or not allows(key, value):
        return value
    if key.type is bool:
        return str(value).lower() == "true"
    return int(value) if key.type is int else str(value)


APP_CONFIG_NOT_DECLARABLE = declare_finding(
    "app_configurations",
    "app-config-not-declarable",
    "{name}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the object is re-created, set it by hand.",
    fatal=False,
)

IOS: Final = "settings"
ANDROID: Final = "managedProperty"
MANAGED: Final = "customSettings"
LISTS: Final = {IOS: "appConfigKey", ANDROID: "key", MANAGED: "name"}
"""The three lists by property, with the key of a setting's name; Android's is in `payloadJson`."""
PAYLOAD: Final = "payloadJson"
PACKAGES: Final = "packageIds"
BUNDLES: Final = "bundleIds"
"""Keys of the app ids among the properties, on iOS and on Android."""
IOS_TYPE: Final = "#microsoft.graph.iosMobileAppConfiguration"
ANDROID_TYPE: Final = "#microsoft.graph.androidManagedStoreAppConfiguration"
MANAGED_TYPE: Final = "#microsoft.graph.targetedManagedAppConfiguration"
ENCODED: Final = "encodedSettingXml"
_IOS_TYPES: Final[Mapping[type[Value], str]] = {bool: "booleanType", int: "integerType", str: "stringType"}
_ANDROID_VALUES: Final[Mapping[type[Value], str]] = {
    bool: "valueBool",
    int: "valueInteger",
    str: "valueString",
}
_ACTIONS: Final = {"prompt": "prompt", "grant": "autoGrant", "deny": "autoDeny"}
_KNOWN_ACTIONS: Final = {wire: word for word, wire in _ACTIONS.items()}
_APPLICABILITY: Final = {
    AppConfigurationPlatform.ANDROID: "default",
    AppConfigurationPlatform.ANDROID_WORK_PROFILE: "androidWorkProfile",
    AppConfigurationPlatform.ANDROID_DEVICE_OWNER: "androidDeviceOwner",
}
_PLATFORMS: Final = {wire: platform for platform, wire in _APPLICABILITY.items()}

TUNNEL_KEYS: Final = "com.microsoft.tunnel."
"""Prefix of the names of all tunnel settings."""
_EDGE_KEYS: Final = "com.microsoft.intune.mam.managedbrowser."
STRICT_KEY: Final = f"{_EDGE_KEYS}StrictTunnelMode"
AVAILABLE_KEY: Final = f"{_EDGE_KEYS}TunnelAvailable.IntuneMAMOnly"
"""The two settings of Edge about the tunnel; the names of its other settings have the same prefix."""


def _list_and_type(declared: AppConfigurationObject) -> tuple[str, str]:
    """Return the property that has the list of settings, and the type of the policy."""
    if not declared.on_devices:
        return MANAGED, MANAGED_TYPE
    return (IOS, IOS_TYPE) if declared.is_ios else (ANDROID, ANDROID_TYPE)


def _entry(kind: str, name: str, value: Value) -> Body:
    """Return a setting as an entry of the list `kind`."""
    if kind == MANAGED:
        return {"name": name, "value": str(value)}
    if kind == ANDROID:
        return {"key": name, _ANDROID_VALUES[type(value)]: value}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {"appConfigKey": name, "appConfigKeyType": _IOS_TYPES[type(value)], "appConfigKeyValue": text}


def _setting_of(kind: str, entry: Wire) -> tuple[str, Value] | None:
    """Return the name and value of an entry, or None if a file cannot express it."""
    name = str(entry.get(LISTS[kind]) or "")
    value: Value | None = None
    if kind == MANAGED:
        value = str(entry.get("value") or "")
    elif kind == ANDROID:
        found = next((entry[key] for key in _ANDROID_VALUES.values() if entry.get(key) is not None), None)
        value = found if isinstance(found, bool | int | str) else None
    else:
        text, type_name = str(entry.get("appConfigKeyValue")), entry.get("appConfigKeyType")
        if type_name == _IOS_TYPES[bool]:
            value = {"true": True, "false": False}.get(text.lower())
        elif type_name == _IOS_TYPES[int]:
            value = signed_number(text)
        elif type_name == _IOS_TYPES[str]:
            value = text
    return (name, value) if name and value is not None else None


def payload(package: str, settings: Iterable[Wire]) -> str:
    """Return the settings of an Android app in Graph's format, base64 of JSON."""
    document = {
        "kind": "androidenterprise#managedConfiguration",
        "productId": f"app:{package}",
        ANDROID: [dict(item) for item in settings],
    }
    return base64.b64encode(json.dumps(document).encode()).decode()


@dataclass(frozen=True)
class PresentAppConfiguration(parts.PresentObject):
    """An app configuration of the tenant with its apps, by store id, and its assignments."""

    found: MobileAppConfiguration | TargetedManagedAppConfiguration
    is_ios: bool
    apps: tuple[str, ...] = ()
    assignments: tuple[AppAssignment, ...] = ()

    @property
    def channel(self) -> Channel:
        """The channel that delivers it to the apps."""
        return Channel.DEVICES if isinstance(self.found, MobileAppConfiguration) else Channel.APPS

    @property
    def entries(self) -> list[tuple[Body, tuple[str, Value] | None]]:
        """The settings with name and value, where a file can express them; empty if they cannot be parsed."""
        wire, (kind, _type) = self.wire, _list_and_type(self.declared)
        if kind == ANDROID:
            try:
                document = json_value(base64.b64decode(str(wire.get(PAYLOAD) or "")))
            except (binascii.Error, ValueError):
                document = {}
            wire = document if isinstance(document, dict) else {}
        listed = wire.get(kind)
        plain = [
            {name: value for name, value in item.items() if not name.startswith("@")}
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, dict)
        ]
        plain.sort(key=lambda item: str(item.get(LISTS[kind])))
        return [(item, _setting_of(kind, item)) for item in plain]

    @property
    def declared(self) -> AppConfigurationObject:
        """The declaration form without settings, not validated."""
        wire = self.found.model_extra or {}
        android = _PLATFORMS.get(str(wire.get("profileApplicability")), AppConfigurationPlatform.ANDROID)
        return AppConfigurationObject.model_construct(
            channel=self.channel,
            platform=AppConfigurationPlatform.IOS if self.is_ios else android,
            name=self.found.display_name,
            description=self.found.description or "",
            apps=self.apps,
            permissions={
                str(item.get("permission")): _KNOWN_ACTIONS.get(str(item.get("action")), "prompt")
                for item in wire.get("permissionActions") or ()
            },
            role_scope_tag_ids=self.found.role_scope_tag_ids or ("0",),
            **parts.assignees(self.assignments),
        )


def app_configuration_object(present: PresentAppConfiguration) -> AppConfigurationObject:
    """Return an app configuration of the tenant in declaration form, without validation."""
    settings = dict(setting for _entry, setting in present.entries if setting)
    return present.declared.model_copy(update={"settings": settings})


def others_of(present: PresentAppConfiguration) -> list[Body]:
    """Return the entries of settings that no file can express."""
    return [entry for entry, setting in present.entries if setting is None]


def app_configuration_body(declared: AppConfigurationObject, others: Iterable[Wire] = ()) -> Body:
    """Return the body of an app configuration; `others` has entries that no file can express."""
    kind, type_name = _list_and_type(declared)
    entries = [_entry(kind, name, typed(declared, name)) for name in declared.settings]
    common = {
        TYPE: type_name,
        "displayName": declared.name,
        "description": declared.description or None,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        BUNDLES if declared.is_ios else PACKAGES: sorted(declared.apps),
        kind: sorted([*entries, *map(dict, others)], key=lambda item: str(item.get(LISTS[kind]))),
    }
    if not declared.on_devices:
        return common
    if declared.is_ios:
        # Settings are in this list or in XML, which no file can express: XML is replaced only by a list.
        return {**common, ENCODED: None} if common[IOS] else common
    return {
        **common,
        "profileApplicability": _APPLICABILITY[declared.platform],
        "permissionActions": [
            {"permission": name, "action": _ACTIONS[action]}
            for name, action in sorted(declared.permissions.items())
        ],
    }


def is_about_tunnel(present: PresentAppConfiguration) -> bool:
    """Return whether an app configuration of the tenant is for Defender or has tunnel settings."""
    names = [str(entry.get("name") or "") for entry, _setting in present.entries]
    of_edge = not {STRICT_KEY, AVAILABLE_KEY}.isdisjoint(names)
    return DEFENDER in present.apps or of_edge or any(name.startswith(TUNNEL_KEYS) for name in names)


def app_configuration_not_declared(present: PresentAppConfiguration) -> Iterator[Finding]:
    """Return warnings about properties that a file cannot express and so would be lost in another tenant."""
    settings = [
        text("the setting {key}", key=entry.get("appConfigKey") or entry.get("key"))
        for entry in others_of(present)
    ]
    lost = [name for name in (ENCODED, "connectedAppsEnabled") if present.wire.get(name)]
    for what in (*settings, *lost, *parts.undeclarable_targets(present.assignments)):
        yield APP_CONFIG_NOT_DECLARABLE(name=plain(present.name), what=plain(what))
