"""Tunnel for MAM as it is written in YAML. Types are judged here, values in `mam_rules`."""

from typing import Literal

from pydantic import ConfigDict, Field, StrictBool

from mst_admin.apps.app_objects import AppPlatform
from mst_admin.assignments import ExcludedGroups, Groups
from mst_admin.named_object import NamedObject
from mst_admin.profiles.objects import ProxyObject
from mstunnel_setup.answers.values import Line


class MamObject(NamedObject):
    """The tunnel for apps on devices that are not enrolled: three policies, declared as one object."""

    model_config = ConfigDict(str_strip_whitespace=True)

    platform: AppPlatform = Field(description="android or ios")
    connection_name: Line = Field(description="Name that users see", examples=["Contoso"])
    site: Line = Field(description="Name or id of the site", examples=["Berlin"])
    apps: tuple[str, ...] = Field(
        default=(),
        description="Package or bundle ids of the apps that use the tunnel; Android: none means all",
        examples=[["com.microsoft.emmx"]],
    )
    proxy: ProxyObject | None = Field(default=None, description="Proxy")
    trusted_roots: tuple[Line, ...] = Field(
        default=(), description="Names of the trusted root profiles whose certificates the apps trust"
    )
    bypassed_urls: tuple[str, ...] = Field(
        default=(), description="iOS, federated tenants: hosts of the sign-in service, not in the tunnel"
    )
    strict_tunnel: StrictBool = Field(
        default=False, description="Edge: no traffic of the work account while the tunnel is down"
    )
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")

    @property
    def is_ios(self) -> bool:
        """Whether it is for iOS and iPadOS."""
        return self.platform is AppPlatform.IOS

    @property
    def all_users(self) -> bool:
        """Policies for managed apps are assigned to groups here."""
        return False

    @property
    def all_devices(self) -> bool:
        """Devices that are not enrolled cannot be assigned anything."""
        return False


class MamFile(MamObject):
    """A file with one object."""

    version: Literal[1] = Field(description="Version of this format")
