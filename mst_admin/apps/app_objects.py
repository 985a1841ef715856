"""Apps of the tenant as they are written in YAML. Types are judged here, values in `app_rules`."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mst_admin.assignments import AllDevices, AllUsers, ExcludedGroups, Groups
from mst_admin.named_object import NamedObject
from mstunnel_setup.answers.values import Line, Part, matching


class AppPlatform(StrEnum):
    """The store of an app."""

    ANDROID = "android"
    IOS = "ios"


OsVersion = Annotated[str, matching(r"[0-9]{1,2}\.0", "must be a version such as `16.0`: correct it")]


class AssignmentObject(Part):
    """Who gets the app, and how."""

    intent: Literal["required", "available", "available-without-enrollment", "uninstall"] = Field(
        description="required, available, available-without-enrollment or uninstall"
    )
    all_users: AllUsers = False
    all_devices: AllDevices = False
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    vpn_profile: Line | None = Field(
        default=None, description="iOS: name of the per-app VPN profile whose tunnel the app uses"
    )
    updates: Literal["default", "postponed", "high-priority"] = Field(
        default="default", description="Android: when the app is updated"
    )


class StoreAppObject(NamedObject):
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
        """Whether the app is for iOS and iPadOS."""
        return self.platform is AppPlatform.IOS

    @property
    def key(self) -> str:
        """By what the app is found again: its store and its id there."""
        return f"{self.platform}:{self.id}".casefold()


class StoreAppFile(StoreAppObject):
    """A file with one app."""

    version: Literal[1] = Field(description="Version of this format")
