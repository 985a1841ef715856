"""Conversion between declared VPN profiles and the device configurations of Graph.

Types and values: docs/reference/mst-admin.md. On Android the connection type `microsoftTunnel` means the
retired stand-alone client; Defender is `microsoftProtect`.
"""

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from ssl import DER_cert_to_PEM_cert
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mst_admin.change import ASSIGNMENTS, Body, Wire, canonical
from mst_admin.objects.parts import (
    PresentObject,
    assignees,
    fields_from,
    properties,
    target_of,
    undeclarable_targets,
)
from mst_admin.objects.profile import (
    AppObject,
    ConnectionType,
    ProfileObject,
    ProfilePlatform,
    ProxyObject,
    RuleObject,
    TrustedRootObject,
)
from mstunnel_setup.answers.finding import Finding, declare_finding
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.read import read_roots
from mstunnel_setup.gateway.configuration import DEFAULT_PORT
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment

PROFILE_NOT_DECLARABLE = declare_finding(
    "profiles",
    "profile-not-declarable",
    "{profile}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the profile is re-created, set it by hand.",
    fatal=False,
)


TYPES: Final = {
    ProfilePlatform.ANDROID_WORK_PROFILE: "#microsoft.graph.androidWorkProfileVpnConfiguration",
    ProfilePlatform.ANDROID_DEVICE_OWNER: "#microsoft.graph.androidDeviceOwnerVpnConfiguration",
    ProfilePlatform.IOS: "#microsoft.graph.iosVpnConfiguration",
}
_ROOTS: Final = {
    ProfilePlatform.ANDROID_WORK_PROFILE: "#microsoft.graph.androidWorkProfileTrustedRootCertificate",
    ProfilePlatform.ANDROID_DEVICE_OWNER: "#microsoft.graph.androidDeviceOwnerTrustedRootCertificate",
    ProfilePlatform.IOS: "#microsoft.graph.iosTrustedRootCertificate",
}
ROOT_PLATFORMS: Final = {name: platform for platform, name in _ROOTS.items()}
ROOT_CERTIFICATE: Final = "trustedRootCertificate"
ROOT_FILE_NAME: Final = "certFileName"
"""Properties of a trusted root: the name and content (DER or PEM) of the uploaded file."""
_ANDROID_CLIENT: Final = {"key": "MicrosoftDefenderAppSettings", "value": None}
_IOS_CLIENT: Final = {"key": "MSTunnelProtectMode", "value": "1"}
CLIENT_KEYS: Final = frozenset({str(_ANDROID_CLIENT["key"]), str(_IOS_CLIENT["key"])})
"""Keys of the customData entries that select Defender as the client; administrators do not set them."""

CONNECTIONS: Final = {ConnectionType.TUNNEL: "microsoftTunnel", ConnectionType.PROTECT: "microsoftProtect"}
_ACTIONS: Final = {
    "connect": "connect",
    "establish": "connect",
    "disconnect": "disconnect",
    "evaluate": "evaluateConnection",
    "ignore": "ignore",
}
_DOMAIN_ACTIONS: Final = {"connect-if-needed": "connectIfNeeded", "never-connect": "neverConnect"}
_INTERFACES: Final = {None: "notConfigured", "ethernet": "ethernet", "wifi": "wiFi", "cellular": "cellular"}
# Graph properties by declaration key, used in both directions.
_ANDROID: Final = {
    "always_on": "alwaysOn",
    "lockdown": "alwaysOnLockdown",
    "lockdown_exclusions": "lockdownExclusionList",
    "proxy_exclusions": "proxyExclusionList",
}
_IOS: Final = {
    "per_app": "enablePerApp",
    "safari_domains": "safariDomains",
    "associated_domains": "associatedDomains",
    "excluded_domains": "excludedDomains",
    "block_override": "disableOnDemandUserOverride",
}
_RULE: Final = {
    "domains": "domains",
    "dns_servers": "dnsServerAddressMatch",
    "ssids": "ssids",
    "search_domains": "dnsSearchDomains",
    "probe_url": "probeUrl",
    "probe_required_url": "probeRequiredUrl",
}
_APP: Final = {"id": "appId", "name": "name", "publisher": "publisher", "store_url": "appStoreUrl"}
_PROXY: Final = {"address": "address", "port": "port", "pac_url": "automaticConfigurationScriptUrl"}


def server_address(public_address: str, port: int | None) -> str:
    """Return the server of a profile: the public address of its site and the port."""
    host = public_address
    with suppress(ValueError):
        host = f"[{host}]" if isinstance(ip_address(host), IPv6Address) else host
    return f"{host}:{port or DEFAULT_PORT}"


def profile_body(profile: ProfileObject, site_id: str, address: str) -> Body:
    """Return the body of a VPN profile for a site at `address` (HOST:PORT).

    It has every property that a profile can declare; unset ones are null.
    """
    server = {"address": address, "description": "", "isDefaultServer": True}
    settings = [{"key": key, "value": value} for key, value in profile.custom_settings.items()]
    body: Body = {
        "@odata.type": TYPES[profile.platform],
        "displayName": profile.name,
        "description": profile.description or None,
        "roleScopeTagIds": list(profile.role_scope_tag_ids),
        "connectionName": profile.connection_name,
        "connectionType": CONNECTIONS[profile.connection],
        "microsoftTunnelSiteId": site_id,
        "proxyServer": _proxy(profile.proxy),
        "targetedMobileApps": [properties(app, _APP) for app in profile.apps],
        **properties(profile, _IOS if profile.is_ios else _ANDROID),
    }
    if profile.is_ios:
        return body | {
            "authenticationMethod": "usernameAndPassword",
            "server": server,
            "enableSplitTunneling": False,
            "onDemandRules": [_rule(rule) for rule in profile.on_demand_rules],
            "customData": [dict(_IOS_CLIENT), *settings],
        }
    return body | {
        "authenticationMethod": "azureAD",
        "servers": [server],
        "targetedPackageIds": [app.id for app in profile.apps],
        "customData": [dict(_ANDROID_CLIENT), *settings],
    }


def root_body(declared: TrustedRootObject, root: Certificate) -> Body:
    """Return the body of the trusted root profile of a private authority."""
    return {
        "@odata.type": _ROOTS[declared.platform],
        "displayName": declared.name,
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
        ROOT_CERTIFICATE: base64.b64encode(root.public_bytes(Encoding.DER)).decode(),
        ROOT_FILE_NAME: "root.cer",
    }


def root_name(name: str) -> str:
    """Return the name of the trusted root profile of the VPN profile `name`."""
    return f"{name} (trusted root)"


def is_root_name(name: str) -> bool:
    """Return whether `name` has the form of a trusted root that belongs to a VPN profile."""
    return name.casefold().endswith(root_name(""))


def _proxy(proxy: ProxyObject | None) -> Body | None:
    if proxy is None:
        return None
    pac = proxy.pac_url is not None
    return properties(
        proxy, {"pac_url": _PROXY["pac_url"]} if pac else {"address": "address", "port": "port"}
    )


def _rule(rule: RuleObject) -> Body:
    body = {
        "action": _ACTIONS[rule.action],
        "domainAction": rule.domain_action and _DOMAIN_ACTIONS[rule.domain_action],
        "interfaceTypeMatch": _INTERFACES[rule.interface],
        **properties(rule, _RULE),
    }
    return {name: value for name, value in body.items() if value not in (None, [])}


_PLATFORMS: Final = {name: platform for platform, name in TYPES.items()}
_KNOWN_CONNECTIONS: Final = {name: connection for connection, name in CONNECTIONS.items()}
_KNOWN_DOMAIN_ACTIONS: Final = {name: word for word, name in _DOMAIN_ACTIONS.items()}
_KNOWN_INTERFACES: Final = {name: word for word, name in _INTERFACES.items()}
_OF_THE_TENANT: Final = frozenset(
    {"id", "version", "createdDateTime", "lastModifiedDateTime", "supportsScopeTags", "microsoftTunnelSiteId"}
)
"""Properties that the tenant assigns, and the site, which files refer to by name."""
_SAID_OTHERWISE: Final = frozenset(
    {"customData", "customKeyValueData", "targetedPackageIds", "targetedMobileApps", "server", "servers"}
)
"""Properties that a file expresses in another form."""


def is_tunnel_profile(found: DeviceConfiguration) -> bool:
    """Return whether this is a VPN profile for Microsoft Tunnel."""
    return found.odata_type in _PLATFORMS and extra(found).get("connectionType") in _KNOWN_CONNECTIONS


def is_for_ios(found: DeviceConfiguration) -> bool:
    """Return whether this is a VPN profile for iOS, the only platform where apps refer to one."""
    return found.odata_type == TYPES[ProfilePlatform.IOS]


def profile_object(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> ProfileObject:
    """Return a profile of the tenant in declaration form, without validation."""
    wire = extra(found)
    entries = [(item.get("key"), item.get("value")) for item in wire.get("customData") or ()]
    entries += [(item.get("name"), item.get("value")) for item in wire.get("customKeyValueData") or ()]
    proxy = fields_from(wire.get("proxyServer") or {}, ProxyObject, _PROXY)
    profile = ProfileObject.model_construct(
        platform=_PLATFORMS[found.odata_type],
        name=found.display_name,
        description=found.description or "",
        connection_name=str(wire.get("connectionName") or ""),
        site=str(wire.get("microsoftTunnelSiteId") or ""),
        apps=tuple(_present_apps(wire)),
        on_demand_rules=tuple(_present_rule(item) for item in wire.get("onDemandRules") or ()),
        proxy=ProxyObject.model_construct(**proxy) if proxy["address"] or proxy["pac_url"] else None,
        custom_settings={
            str(key): str(value) for key, value in entries if key not in CLIENT_KEYS and value is not None
        },
        role_scope_tag_ids=found.role_scope_tag_ids,
        **fields_from(wire, ProfileObject, {**_ANDROID, **_IOS}),
        **assignees(assignments),
    )
    connection = _KNOWN_CONNECTIONS.get(str(wire.get("connectionType")), profile.connection)
    other = None if connection is profile.connection else connection
    return profile.model_copy(update={"connection_type": other})


def present_body(profile: ProfileObject, found: DeviceConfiguration, wanted: str) -> Body:
    """Return the tenant's profile, read as `profile`, in the form of `profile_body` for comparison.

    Properties are equal in this body and in that of a declared profile if both mean the same; those that no
    file can express are copied. A server at the address `wanted` equals any other way of naming it.
    """
    addresses = addresses_of(found)
    named = wanted if wanted.casefold() in map(str.casefold, addresses) else ", ".join(addresses)
    return profile_body(profile, str(extra(found).get("microsoftTunnelSiteId") or ""), named)


def not_declared(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> Iterator[Finding]:
    """Return warnings about properties that a file cannot express and so would be lost in another tenant."""
    wire: Body = found.document()
    kept = profile_body(profile_object(found, assignments), "", "")
    lost = [
        name
        for name, value in wire.items()
        if name not in _OF_THE_TENANT | _SAID_OTHERWISE
        and "@" not in name
        and canonical(value) not in (None, canonical(kept.get(name)))
    ]
    if len(addresses_of(found)) > 1:
        lost.append(text("more than one server"))
    lost += [
        text("customData {key} without a value", key=item["key"])
        for item in wire.get("customData") or ()
        if item.get("value") is None and item.get("key") not in CLIENT_KEYS
    ]
    for what in (*lost, *undeclarable_targets(assignments)):
        yield PROFILE_NOT_DECLARABLE(profile=plain(found.display_name), what=plain(what))


def addresses_of(found: DeviceConfiguration) -> list[str]:
    """Return the servers of a profile as HOST:PORT."""
    servers = extra(found).get("servers") or [extra(found).get("server")]
    return [str(item.get("address")) for item in servers if item]


def extra(found: DeviceConfiguration) -> Body:
    """Return the properties that the derived Graph type adds."""
    return found.model_extra or {}


def _present_apps(wire: Wire) -> Iterator[AppObject]:
    listed = {str(item.get("appId")): item for item in wire.get("targetedMobileApps") or ()}
    for package in dict.fromkeys([*map(str, wire.get("targetedPackageIds") or ()), *listed]):
        known = {**listed.get(package, {}), "appId": package}
        known["name"] = str(known.get("name") or package)
        yield AppObject.model_construct(**{field: known.get(name) for field, name in _APP.items()})


def _present_rule(wire: Wire) -> RuleObject:
    action = str(wire.get("action"))
    return RuleObject.model_construct(
        action="evaluate" if action == _ACTIONS["evaluate"] else action,
        domain_action=_KNOWN_DOMAIN_ACTIONS.get(str(wire.get("domainAction"))),
        interface=_KNOWN_INTERFACES.get(str(wire.get("interfaceTypeMatch"))),
        **fields_from(wire, RuleObject, _RULE),
    )


@dataclass(frozen=True)
class PresentProfile(PresentObject):
    """A device configuration of the tenant, VPN profile or trusted root, with its assignments."""

    found: DeviceConfiguration
    assignments: tuple[DeviceConfigurationAssignment, ...] = ()

    @property
    def is_tunnel(self) -> bool:
        """Return whether this is a VPN profile for Microsoft Tunnel rather than a trusted root."""
        return is_tunnel_profile(self.found)

    @property
    def certificate(self) -> str | None:
        """The certificate of a trusted root, as PEM."""
        encoded = extra(self.found).get(ROOT_CERTIFICATE)
        if not encoded:
            return None
        file = base64.b64decode(encoded)
        roots = read_roots(file)
        return roots[0].public_bytes(Encoding.PEM).decode() if roots else DER_cert_to_PEM_cert(file)

    @property
    def properties(self) -> Body:
        """Its properties in the tenant, with the targets of its assignments."""
        return {**self.wire, ASSIGNMENTS: [target_of(item) for item in self.assignments]}
