"""The declared form of VPN profiles and trusted roots. `profile_rules` validates the values."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, StrictBool, StrictInt, WithJsonSchema

from mst_admin.objects.parts import AllDevices, AllUsers, ExcludedGroups, Groups, NamedObject
from mstunnel_setup.answers.values import Line, Part, matching

PEM_START = "-----BEGIN CERTIFICATE-----"
VPN_KEY: Final = "vpn"
VPN_TITLE: Final = "VPN"
"""A setting of Defender on Android, and its title in the admin center."""
GLOBAL_SECURE_ACCESS: Final = "EnableGSA"
"""The setting that turns on Global Secure Access on iOS."""
CONNECT: tuple[str, ...] = ("connect", "establish")
"""Two names of one action, both of which the admin center has used."""


class ProfilePlatform(StrEnum):
    """For which devices a profile is."""

    ANDROID_WORK_PROFILE = "android-work-profile"
    ANDROID_DEVICE_OWNER = "android-device-owner"
    IOS = "ios"


def _with_user(value: object) -> object:
    if isinstance(value, str) and "dedicated" in value.lower():
        raise ValueError(
            f"cannot be {value}: dedicated devices have no user, and the tunnel admits signed-in users only; "
            "enroll them as fully managed or with a work profile"
        )
    return value


class ConnectionType(StrEnum):
    """The two connection types of Microsoft Tunnel, which the admin center has written over the years."""

    TUNNEL = "microsoft-tunnel"
    PROTECT = "microsoft-protect"


def _setting(value: object) -> str:
    """Return a setting as text, with booleans as Defender reads them."""
    if isinstance(value, bool):
        return str(value)
    if not isinstance(value, str | int):
        raise ValueError("must be text, a number or true/false: write one value")  # noqa: TRY004 (pydantic's protocol)
    return str(value)


Value = TypeVar("Value")


def as_documented(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Return the settings of Defender on Android with `VPN`, the title in the admin center, as key `vpn`.

    If both spellings are there, nothing is changed.
    """
    if VPN_KEY in settings:
        return dict(settings)
    return {VPN_KEY if name == VPN_TITLE else name: value for name, value in settings.items()}


CustomSetting = Annotated[
    str, PlainValidator(_setting), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]


CertificateText = Annotated[
    str,
    matching(
        rf"(?s)\s*{PEM_START}.*|/.*",
        f"must be the full path of a certificate, or begin with `{PEM_START}`: correct it",
    ),
]


class ProxyObject(Part):
    """One direct proxy, or a script that chooses one."""

    address: str | None = Field(default=None, description="Host name or address of the proxy")
    port: StrictInt | None = Field(default=None, description="Port of the proxy")
    pac_url: str | None = Field(default=None, description="Alternative: address of a PAC script")


class AppObject(Part):
    """An app whose traffic goes through the tunnel."""

    id: str = Field(description="Package or bundle id", examples=["com.microsoft.emmx"])
    name: Line = Field(description="Name", examples=["Edge"])
    publisher: str | None = Field(default=None, description="Publisher")
    store_url: str | None = Field(default=None, description="Page in the app store")


class RuleObject(Part):
    """One on-demand rule; the first that fits counts."""

    action: Literal["connect", "establish", "disconnect", "evaluate", "ignore"] = Field(
        description="What to do: connect (also called establish), disconnect, evaluate, ignore"
    )
    domain_action: Literal["connect-if-needed", "never-connect"] | None = Field(
        default=None, description="evaluate: what to do for the domains"
    )
    domains: tuple[str, ...] = Field(default=(), description="evaluate: for which domains")
    dns_servers: tuple[str, ...] = Field(default=(), description="Only with these DNS servers")
    ssids: tuple[str, ...] = Field(default=(), description="Only in these wireless networks")
    search_domains: tuple[str, ...] = Field(default=(), description="Only with these search domains")
    interface: Literal["ethernet", "wifi", "cellular"] | None = Field(
        default=None, description="Only over this kind of network"
    )
    probe_url: str | None = Field(default=None, description="Only if this address returns HTTP 200")
    probe_required_url: str | None = Field(
        default=None, description="evaluate, connect-if-needed: connect when this address does not answer"
    )

    @property
    def connects_always(self) -> bool:
        """Return whether the rule connects for any domain and in any network.

        It may have a URL probe: for web protection, Microsoft recommends such a rule.
        """
        limits = (self.domains, self.dns_servers, self.ssids, self.search_domains, self.interface)
        return self.action in CONNECT and not any(limits)


class ProfileObject(Part):
    """A VPN profile for Microsoft Tunnel."""

    platform: Annotated[ProfilePlatform, BeforeValidator(_with_user)] = Field(
        description="android-work-profile, android-device-owner or ios"
    )
    name: Line = Field(description="Name in the admin center", examples=["Tunnel for Android"])
    description: str = Field(default="", description="Description")
    connection_name: Line = Field(description="Name that users see", examples=["Contoso"])
    connection_type: ConnectionType | None = Field(
        default=None,
        description="Only of a profile made elsewhere whose type is not the usual one: microsoft-protect on "
        "iOS, microsoft-tunnel on Android",
    )
    site: Line = Field(description="Name or id of the site", examples=["Berlin"])
    per_app: StrictBool = Field(default=False, description="iOS: per-app VPN")
    apps: tuple[AppObject, ...] = Field(default=(), description="Apps that use the tunnel (per-app VPN)")
    always_on: StrictBool = Field(default=False, description="Android: always-on VPN")
    lockdown: StrictBool = Field(default=False, description="Android: no traffic while not connected")
    lockdown_exclusions: tuple[str, ...] = Field(default=(), description="Android: packages that bypass it")
    on_demand_rules: tuple[RuleObject, ...] = Field(default=(), description="iOS: when to connect")
    block_override: StrictBool = Field(default=False, description="iOS: users cannot turn the rules off")
    safari_domains: tuple[str, ...] = Field(default=(), description="iOS per-app: domains in Safari")
    associated_domains: tuple[str, ...] = Field(default=(), description="iOS per-app: associated domains")
    excluded_domains: tuple[str, ...] = Field(default=(), description="iOS per-app: excluded domains")
    proxy: ProxyObject | None = Field(default=None, description="Proxy")
    proxy_exclusions: tuple[str, ...] = Field(default=(), description="Android: what bypasses the proxy")
    custom_settings: dict[str, CustomSetting] = Field(
        default_factory=dict, description="Settings of Microsoft Defender for Endpoint"
    )
    eu_data_boundary: StrictBool = Field(default=False, description="Keep data in the EU data boundary")
    trusted_root: CertificateText | None = Field(
        default=None,
        description="Root certificate of a private CA, sent to the devices: the full path of a PEM or "
        "DER file, or the PEM itself",
    )
    all_users: StrictBool = Field(default=False, description="All licensed users get the profile")
    all_devices: StrictBool = Field(default=False, description="All devices get the profile")
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")

    @property
    def is_ios(self) -> bool:
        """Return whether the profile is for iOS and iPadOS."""
        return self.platform is ProfilePlatform.IOS

    @property
    def connection(self) -> ConnectionType:
        """The declared connection type, or the default of the platform, with which Defender connects."""
        return self.connection_type or (ConnectionType.TUNNEL if self.is_ios else ConnectionType.PROTECT)

    def custom(self, key: str, default: str) -> str:
        """Return the value of a custom setting in lower case, or its default."""
        return self.custom_settings.get(key, default).lower()


def turns_on_global_secure_access(profile: ProfileObject) -> bool:
    """Return whether a profile for iOS turns on Global Secure Access, which it does unless the value is 0."""
    return profile.is_ios and profile.custom(GLOBAL_SECURE_ACCESS, "0") != "0"


class TrustedRootObject(NamedObject):
    """A certificate of a private authority, root or intermediate, that devices and apps trust."""

    platform: ProfilePlatform = Field(description="android-work-profile, android-device-owner or ios")
    certificate: CertificateText = Field(description="The full path of a PEM or DER file, or the PEM itself")
    all_users: AllUsers = False
    all_devices: AllDevices = False
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")


class ProfileFile(ProfileObject):
    """A file with one VPN profile."""

    version: Literal[1] = Field(description="Version of this format")
