"""Microsoft Tunnel and Global Secure Access for the same users, which Microsoft does not support.

Source: the prerequisites of Microsoft Tunnel, and the pages of the Global Secure Access client for Android
and iOS. On Android an app configuration of Defender turns Global Secure Access on, on iOS a VPN profile.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from mst_admin.kinds.app_configuration import read_app_configurations
from mst_admin.kinds.profile import read_profiles
from mst_admin.kinds.tenant import TenantObjects
from mst_admin.objects.app_configuration import (
    GLOBAL_SECURE_ACCESS,
    AppConfigurationObject,
    AppConfigurationPlatform,
    PresentAppConfiguration,
    app_configuration_object,
)
from mst_admin.objects.mam import MamObject, mam_object
from mst_admin.objects.parts import Assignable, share_users
from mst_admin.objects.profile import ProfileObject, ProfilePlatform, turns_on_global_secure_access
from mst_admin.objects.profile_wire import profile_object
from mstunnel_setup.answers.finding import Finding, declare_finding
from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.roles import ACCESS_DENIED

GLOBAL_SECURE_ACCESS_BESIDE_TUNNEL: Final = declare_finding(
    "groups",
    "global-secure-access-beside-tunnel",
    "the same users get Microsoft Tunnel from {tunnel} and Global Secure Access from {access}, which do not "
    "work together on one device",
    "Assign the two to different groups.",
    fatal=False,
)

_Object: TypeAlias = ProfileObject | AppConfigurationObject | MamObject
_MANAGED_APPS: Final = "managed-apps"


@dataclass(frozen=True)
class _Client:
    """What an object gives to users: `devices` has platforms, or managed apps and a platform."""

    name: str
    devices: frozenset[str]
    assigned: Assignable

    def meets(self, other: "_Client") -> bool:
        return not self.devices.isdisjoint(other.devices) and share_users(self.assigned, other.assigned)


@dataclass(frozen=True)
class Clients:
    """The objects that give users Microsoft Tunnel, and those that give them Global Secure Access."""

    tunnels: tuple[_Client, ...] = ()
    accesses: tuple[_Client, ...] = ()

    @classmethod
    def of(
        cls, declared: Iterable[object], tenant: TenantObjects, deleted: Collection[str] = ()
    ) -> "Clients":
        """Return the clients of the declared objects and of the tenant's.

        Left out are objects of the tenant that are declared, by name, or whose ids are in `deleted`.
        """
        profiles = [item for item in tenant.profiles if item.id not in deleted]
        there: list[_Object] = [
            *(profile_object(item.found, item.assignments) for item in profiles),
            *(app_configuration_object(item) for item in tenant.app_policies if item.id not in deleted),
            *(mam_object(item) for item in tenant.mam if item.id not in deleted),
        ]
        others = [profile_object(item.found, item.assignments) for item in tenant.other_profiles]
        known = [item for item in declared if isinstance(item, _Object)]
        names = {(type(item), item.name.casefold()) for item in known}
        known += [item for item in there if (type(item), item.name.casefold()) not in names]
        return cls(
            tuple(client for item in known for client in _tunnel(item)),
            tuple(client for item in (*known, *others) for client in _access(item)),
        )


def judge_coexistence(declared: object, clients: Clients) -> Iterator[Finding]:
    """Return a finding for each object that gives users of this one the other client."""
    if not isinstance(declared, _Object):
        return
    # A profile with both is reported by the rules of profiles.
    for tunnel in _tunnel(declared):
        for other in clients.accesses:
            if tunnel.meets(other) and tunnel.name != other.name:
                yield GLOBAL_SECURE_ACCESS_BESIDE_TUNNEL(tunnel=tunnel.name, access=other.name)
    for access in _access(declared):
        for other in clients.tunnels:
            if access.meets(other) and access.name != other.name:
                yield GLOBAL_SECURE_ACCESS_BESIDE_TUNNEL(tunnel=other.name, access=access.name)


def judge_in_tenant(graph: AdminGraph, identifier: str) -> Iterator[Finding]:
    """Return the findings about a profile or an app configuration of the tenant, by its id.

    An account that may not read app configurations gets none about them.
    """
    profiles = tuple(read_profiles(graph))
    policies: tuple[PresentAppConfiguration, ...] = ()
    try:
        policies = tuple(read_app_configurations(graph, ()))
    except SignInError as error:
        if error.code not in ACCESS_DENIED:
            raise
    tenant = TenantObjects(device_configurations=profiles, app_policies=policies)
    clients = Clients.of((), tenant)
    for profile in tenant.profiles:
        if profile.id == identifier:
            yield from judge_coexistence(profile_object(profile.found, profile.assignments), clients)
    for policy in policies:
        if policy.id == identifier:
            yield from judge_coexistence(app_configuration_object(policy), clients)


def _tunnel(item: _Object) -> Iterator[_Client]:
    if isinstance(item, ProfileObject):
        yield _Client(item.name, frozenset({item.platform}), item)
    elif isinstance(item, MamObject):
        yield _Client(item.name, frozenset({f"{_MANAGED_APPS}:{item.platform}"}), item)


def _access(item: _Object) -> Iterator[_Client]:
    if isinstance(item, ProfileObject):
        if turns_on_global_secure_access(item):
            yield _Client(item.name, frozenset({item.platform}), item)
    elif isinstance(item, AppConfigurationObject) and not item.is_ios and item.for_defender:
        if str(item.settings.get(GLOBAL_SECURE_ACCESS, 0)) == "0":
            return
        devices: frozenset[str] = frozenset({item.platform})
        if not item.on_devices:
            devices = frozenset({f"{_MANAGED_APPS}:{item.platform}"})
        elif item.platform is AppConfigurationPlatform.ANDROID:
            devices = frozenset({ProfilePlatform.ANDROID_WORK_PROFILE, ProfilePlatform.ANDROID_DEVICE_OWNER})
        yield _Client(item.name, devices, item)
