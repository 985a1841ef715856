"""Between VPN profiles and the device configurations of Graph.

Types and values: docs/reference/mst-admin.md. On Android the connection type `microsoftTunnel` means the
retired stand-alone client; Defender is `microsoftProtect`.
"""

import base64
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mst_admin.change import Body, Wire
from mst_admin.profiles.objects import (
    AppObject,
    ConnectionType,
    Platform,
    ProfileObject,
    ProxyObject,
    RuleObject,
    TrustedRootObject,
)
from mstunnel_setup.base.text import text

TYPES: Final = {
    Platform.ANDROID_WORK_PROFILE: "#microsoft.graph.androidWorkProfileVpnConfiguration",
    Platform.ANDROID_DEVICE_OWNER: "#microsoft.graph.androidDeviceOwnerVpnConfiguration",
    Platform.IOS: "#microsoft.graph.iosVpnConfiguration",
}
_ROOTS: Final = {
    Platform.ANDROID_WORK_PROFILE: "#microsoft.graph.androidWorkProfileTrustedRootCertificate",
    Platform.ANDROID_DEVICE_OWNER: "#microsoft.graph.androidDeviceOwnerTrustedRootCertificate",
    Platform.IOS: "#microsoft.graph.iosTrustedRootCertificate",
}
ROOT_TYPES: Final = frozenset(_ROOTS.values())
ROOT_PLATFORMS: Final = {name: platform for platform, name in _ROOTS.items()}
_ANDROID_CLIENT: Final = {"key": "MicrosoftDefenderAppSettings", "value": None}
_IOS_CLIENT: Final = {"key": "MSTunnelProtectMode", "value": "1"}
CLIENT_KEYS: Final = frozenset({str(_ANDROID_CLIENT["key"]), str(_IOS_CLIENT["key"])})
"""Entries of customData that make Defender the client; they are not settings of an administrator."""

CONNECTIONS: Final = {
    ConnectionType.TUNNEL: "microsoftTunnel",
    ConnectionType.PROTECT: "microsoftProtect",
}
_ACTIONS: Final = {
    "connect": "connect",
    "establish": "connect",
    "disconnect": "disconnect",
    "evaluate": "evaluateConnection",
    "ignore": "ignore",
}
_DOMAIN_ACTIONS: Final = {"connect-if-needed": "connectIfNeeded", "never-connect": "neverConnect"}
_INTERFACES: Final = {None: "notConfigured", "ethernet": "ethernet", "wifi": "wiFi", "cellular": "cellular"}


def server_address(public_address: str, port: int) -> str:
    """What a profile names as server: the public address of its site and the port."""
    host = public_address
    with suppress(ValueError):
        host = f"[{host}]" if isinstance(ip_address(host), IPv6Address) else host
    return f"{host}:{port}"


def profile_body(profile: ProfileObject, site_id: str, address: str) -> Body:
    """The body of a VPN profile for devices that connect to a site at `address` (HOST:PORT).

    It has every property that a profile speaks about, null for what is not set.
    """
    server = {"address": address, "description": "", "isDefaultServer": True}
    common = {
        "@odata.type": TYPES[profile.platform],
        "displayName": profile.name,
        "description": profile.description or None,
        "roleScopeTagIds": list(profile.role_scope_tag_ids),
        "connectionName": profile.connection_name,
        "connectionType": CONNECTIONS[profile.connection],
        "microsoftTunnelSiteId": site_id,
        "proxyServer": _proxy(profile.proxy) if profile.proxy else None,
    }
    return {**common, **(_ios(profile, server) if profile.is_ios else _android(profile, server))}


def root_body(declared: TrustedRootObject, root: Certificate) -> Body:
    """The body of the profile that makes devices trust a private authority."""
    return {
        "@odata.type": _ROOTS[declared.platform],
        "displayName": declared.name,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        "trustedRootCertificate": base64.b64encode(root.public_bytes(Encoding.DER)).decode(),
        "certFileName": "root.cer",
    }


def root_name(name: str) -> str:
    """Name of the profile with the trusted root that goes with the VPN profile called `name`."""
    return text("{name} (trusted root)", name=name)


def is_root_name(name: str) -> bool:
    """Whether a trusted root of this name goes with a VPN profile, whatever that is called."""
    return name.casefold().endswith(root_name(""))


def _android(profile: ProfileObject, server: Body) -> Body:
    return {
        "authenticationMethod": "azureAD",
        "servers": [server],
        "alwaysOn": profile.always_on,
        "alwaysOnLockdown": profile.lockdown,
        "lockdownExclusionList": list(profile.lockdown_exclusions),
        "proxyExclusionList": list(profile.proxy_exclusions),
        "targetedPackageIds": [app.id for app in profile.apps],
        "targetedMobileApps": [_app(app) for app in profile.apps],
        "customData": _custom(profile, _ANDROID_CLIENT),
    }


def _ios(profile: ProfileObject, server: Body) -> Body:
    return {
        "authenticationMethod": "usernameAndPassword",
        "server": server,
        "enableSplitTunneling": False,
        "enablePerApp": profile.per_app,
        "targetedMobileApps": [_app(app) for app in profile.apps],
        "safariDomains": list(profile.safari_domains),
        "associatedDomains": list(profile.associated_domains),
        "excludedDomains": list(profile.excluded_domains),
        "onDemandRules": [_rule(rule) for rule in profile.on_demand_rules],
        "disableOnDemandUserOverride": profile.block_override,
        "customData": _custom(profile, _IOS_CLIENT),
    }


def _proxy(proxy: ProxyObject) -> Body:
    if proxy.pac_url is not None:
        return {"automaticConfigurationScriptUrl": proxy.pac_url}
    return {"address": proxy.address, "port": proxy.port}


def _app(app: AppObject) -> Body:
    return {"name": app.name, "publisher": app.publisher, "appStoreUrl": app.store_url, "appId": app.id}


def _rule(rule: RuleObject) -> Body:
    body = {
        "action": _ACTIONS[rule.action],
        "domainAction": rule.domain_action and _DOMAIN_ACTIONS[rule.domain_action],
        "domains": list(rule.domains) or None,
        "dnsServerAddressMatch": list(rule.dns_servers) or None,
        "ssids": list(rule.ssids) or None,
        "dnsSearchDomains": list(rule.search_domains) or None,
        "interfaceTypeMatch": _INTERFACES[rule.interface],
        "probeUrl": rule.probe_url,
        "probeRequiredUrl": rule.probe_required_url,
    }
    return {name: value for name, value in body.items() if value is not None}


def _custom(profile: ProfileObject, client: Wire) -> list[Body]:
    settings = [{"key": key, "value": value} for key, value in profile.custom_settings.items()]
    return [dict(client), *settings]
