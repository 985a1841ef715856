"""The settings of Microsoft Defender that are documented. Source: docs/reference/mst-admin.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from mst_admin.apps.objects import AppConfigurationObject, Channel

Value: TypeAlias = bool | int | str
_TRUTH: Final = ("true", "false")
_SWITCH: Final = ("0", "1")


@dataclass(frozen=True)
class Key:
    """One setting: the type that Defender reads, and in lower case what it may be, if that is known."""

    type: type[Value]
    allowed: tuple[str, ...] = ()


_FLAG: Final = Key(str, _TRUTH)
_NUMBER: Final = Key(int, _SWITCH)
_IOS: Final = {"WebProtection": _FLAG, "AutoOnboard": _FLAG, "DefenderNetworkProtectionEnable": _FLAG}
DEFENDER_KEYS: Final[Mapping[tuple[Channel, bool], Mapping[str, Key]]] = {
    (Channel.DEVICES, True): {
        "TunnelOnly": _FLAG,
        **_IOS,
        "issupervised": Key(str),
        "UserEnrollmentEnabled": _FLAG,
        "DefenderExcludeURLInReport": Key(bool, _TRUTH),
    },
    (Channel.APPS, True): _IOS,
    (Channel.DEVICES, False): {"antiphishing": _NUMBER, "vpn": _NUMBER},
    (Channel.APPS, False): {
        "DefenderMAMConfigs": Key(int, ("1",)),
        "antiphishing": _NUMBER,
        "vpn": _NUMBER,
        "DefenderNetworkProtectionEnable": _NUMBER,
        "DefenderOptionalVPN": _NUMBER,
        "DefenderOptionalAccessibility": _NUMBER,
        "DisableSignOut": _NUMBER,
        "DefenderDeviceTag": Key(str),
        "DefenderAllowlistedCACertificates": Key(str),
    },
}
"""The keys by channel, and whether they are those of iOS."""


def known_keys(declared: AppConfigurationObject) -> Mapping[str, Key]:
    """The documented settings of an app configuration; none when it is not for Defender."""
    return DEFENDER_KEYS[declared.channel, declared.is_ios] if declared.for_defender else {}


def allows(key: Key, value: Value) -> bool:
    """Whether a setting may have this value, in any of the types that YAML has for it."""
    return not key.allowed or str(value).lower() in key.allowed


def typed(declared: AppConfigurationObject, name: str) -> Value:
    """The value of a setting in the type that its app reads; one that is not documented stays as written."""
    value, key = declared.settings[name], known_keys(declared).get(name)
    if key is None or not allows(key, value):
        return value
    if key.type is bool:
        return str(value).lower() == "true"
    return int(value) if key.type is int else str(value)
