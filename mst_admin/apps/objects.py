"""App configurations as they are written in YAML. Types are judged here, values in `rules`."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, StrictBool, WithJsonSchema

from mst_admin.assignments import AllDevices, AllUsers, ExcludedGroups, Groups
from mst_admin.named_object import NamedObject

DEFENDER: Final = "com.microsoft.scmx"
"""Package and bundle id of Microsoft Defender, the client of the tunnel."""


def _setting(value: object) -> bool | int | str:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be text, a whole number or true/false: write one value")  # noqa: TRY004 (pydantic's protocol)
    return value


Setting = Annotated[
    bool | int | str, PlainValidator(_setting), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]


class Channel(StrEnum):
    """How a configuration reaches an app."""

    DEVICES = "managed-devices"
    APPS = "managed-apps"


class Platform(StrEnum):
    """For which devices an app configuration is."""

    ANDROID = "android"
    ANDROID_WORK_PROFILE = "android-work-profile"
    ANDROID_DEVICE_OWNER = "android-device-owner"
    IOS = "ios"


class AppConfigurationObject(NamedObject):
    """The settings of an app: on enrolled devices, or wherever it is managed."""

    channel: Channel = Field(
        description="managed-devices: enrolled devices. managed-apps: apps with app protection, on any device"
    )
    platform: Platform = Field(
        description="ios, android, or of managed devices only android-work-profile or android-device-owner"
    )
    description: str = Field(default="", description="Description")
    apps: tuple[str, ...] = Field(
        default=(DEFENDER,), description="Package or bundle ids; the default is Microsoft Defender"
    )
    settings: dict[str, Setting] = Field(default_factory=dict, description="The settings")
    permissions: dict[str, Literal["prompt", "grant", "deny"]] = Field(
        default_factory=dict, description="Android, managed devices: permissions of the app"
    )
    eu_data_boundary: StrictBool = Field(default=False, description="Keep data in the EU data boundary")
    all_users: AllUsers = False
    all_devices: AllDevices = False
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")

    @property
    def is_ios(self) -> bool:
        """Whether the app configuration is for iOS and iPadOS."""
        return self.platform is Platform.IOS

    @property
    def on_devices(self) -> bool:
        """Whether enrolled devices deliver it."""
        return self.channel is Channel.DEVICES

    @property
    def for_defender(self) -> bool:
        """Whether Microsoft Defender is among the apps."""
        return DEFENDER in self.apps


class AppConfigurationFile(AppConfigurationObject):
    """A file with one app configuration."""

    version: Literal[1] = Field(description="Version of this format")
