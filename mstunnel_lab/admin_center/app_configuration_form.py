"""The form of an app configuration, between what is typed and what mst-admin declares and judges."""

from collections.abc import Mapping
from typing import Final

from mst_admin.objects.app_configuration import (
    DEFENDER,
    AppConfigurationObject,
    AppConfigurationPlatform,
    AppSetting,
    Channel,
)
from mstunnel_lab.admin_center.assignment_fields import ASSIGNMENT_FIELDS, assigned, shown_assignment
from mstunnel_lab.admin_center.forms import Field, Group, Values, fields_of, lines, pairs

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
_BASICS: Final = Group(
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
    "lines",
    hint="Configuration key=value, one per line. On iOS, TunnelOnly=True keeps to the EU data boundary: all "
    "functions of Microsoft Defender for Endpoint but the tunnel are off.",
)
_PERMISSIONS: Final = Field(
    "permissions",
    "Permissions",
    "lines",
    hint="Permission=prompt, grant or deny, one per line: android.permission.CAMERA=deny.",
)
_BOUNDARY: Final = Field(
    "eu_data_boundary",
    "Check against the EU data boundary",
    "check",
    hint="Refuses settings that do not comply with it. It is not stored.",
)


def kind_of(channel: Channel, platform: AppConfigurationPlatform) -> str:
    """Return the kind of an app configuration, a key of `KINDS`."""
    return f"{next(name for name, value in _CHANNELS.items() if value is channel)}-{platform}"


def parts_of(kind: str) -> tuple[Channel, AppConfigurationPlatform]:
    """Return channel and platform of a kind."""
    channel, _, platform = kind.partition("-")
    return _CHANNELS[channel], AppConfigurationPlatform(platform)


def groups(kind: str) -> tuple[Group, ...]:
    """Return the fields of a kind."""
    channel, platform = parts_of(kind)
    on_devices = channel is Channel.DEVICES
    settings = (
        (_SETTINGS, _BOUNDARY) if platform is AppConfigurationPlatform.IOS and on_devices else (_SETTINGS,)
    )
    has_permissions = on_devices and platform is not AppConfigurationPlatform.IOS
    return (
        Group("Basics", (*_BASICS.fields, _APP if on_devices else _APPS)),
        Group("Settings", (*settings, _PERMISSIONS) if has_permissions else settings),
        Group("Assignments", ASSIGNMENT_FIELDS),
    )


def new(kind: str) -> Values:
    """Return what the form of a new one begins with."""
    return dict.fromkeys((item.name for item in fields_of(groups(kind))), "") | {"apps": DEFENDER}


def declared(kind: str, values: Values, present: Mapping[str, AppSetting]) -> AppConfigurationObject:
    """Return what was typed as an object to judge; raises `pydantic.ValidationError`.

    `present` are the settings that are there: one that reads the same keeps its type.
    """
    channel, platform = parts_of(kind)
    settings: dict[str, AppSetting] = {}
    for name, text in pairs(values["settings"]).items():
        settings[name] = present[name] if str(present.get(name)) == text else text
    return AppConfigurationObject.model_validate(
        {
            "name": values["name"],
            "description": values["description"],
            "channel": channel,
            "platform": platform,
            "apps": lines(values["apps"]),
            "settings": settings,
            "permissions": pairs(values.get("permissions", "")),
            "eu_data_boundary": bool(values.get("eu_data_boundary")),
            **assigned(values),
        }
    )


def shown(kind: str, found: AppConfigurationObject) -> Values:
    """Return an app configuration as it would be typed."""
    return {
        **new(kind),
        "name": found.name,
        "description": found.description,
        "apps": "\n".join(found.apps),
        "settings": "\n".join(f"{name}={value}" for name, value in found.settings.items()),
        "permissions": "\n".join(f"{name}={action}" for name, action in found.permissions.items()),
        **shown_assignment(found),
    }
