"""Graph below /deviceManagement: device configurations (VPN profiles of three kinds, trusted roots).

Properties: docs/reference/mst-admin.md (generated models of msgraph-beta-sdk). The lab knows the properties
that Microsoft Tunnel uses.
"""

import base64
import binascii
from typing import Annotated, Final, Literal

from cryptography import x509
from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from mstunnel_lab.graph.bodies import (
    FilledText,
    Guid,
    KeyValuePairBody,
    Name,
    NamedBody,
    Text,
    Texts,
    TypedPart,
)
from mstunnel_lab.graph.entities import AssignedEntities
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment

Authentication = Literal["certificate", "usernameAndPassword", "sharedSecret", "derivedCredential", "azureAD"]
AndroidConnection = Literal[
    "ciscoAnyConnect",
    "pulseSecure",
    "f5EdgeClient",
    "dellSonicWallMobileConnect",
    "checkPointCapsuleVpn",
    "citrix",
    "paloAltoGlobalProtect",
    "microsoftTunnel",
    "netMotionMobility",
    "microsoftProtect",
]
AppleConnection = Literal["ciscoAnyConnect", "customVpn", "ikEv2", "microsoftTunnel", "microsoftProtect"]
Port = Annotated[StrictInt, Field(ge=0, le=65535)]


class _VpnServer(TypedPart):
    address: FilledText
    description: Text | None = None
    is_default_server: StrictBool = False


class _VpnProxyServer(TypedPart):
    address: StrictStr | None = None
    port: Port | None = None
    automatic_configuration_script_url: StrictStr | None = None


class _KeyValue(TypedPart):
    """An entry of customData."""

    key: FilledText
    value: StrictStr | None = None


class _AppListItem(TypedPart):
    name: FilledText
    publisher: StrictStr | None = None
    app_store_url: StrictStr | None = None
    app_id: StrictStr | None = None


class _VpnOnDemandRule(TypedPart):
    action: Literal["connect", "evaluateConnection", "ignore", "disconnect"]
    domain_action: Literal["connectIfNeeded", "neverConnect"] | None = None
    ssids: Texts | None = None
    dns_search_domains: Texts | None = None
    dns_server_address_match: Texts | None = None
    domains: Texts | None = None
    probe_url: StrictStr | None = None
    probe_required_url: StrictStr | None = None
    interface_type_match: Literal["notConfigured", "ethernet", "wiFi", "cellular"] = "notConfigured"


class _VpnBody(NamedBody, entity=DeviceConfiguration):
    connection_name: Name
    authentication_method: Authentication
    microsoft_tunnel_site_id: Guid | None = None
    proxy_server: _VpnProxyServer | None = None
    custom_data: Annotated[tuple[_KeyValue, ...], Field(max_length=25)] = ()
    custom_key_value_data: Annotated[tuple[KeyValuePairBody, ...], Field(max_length=25)] = ()
    targeted_mobile_apps: Annotated[tuple[_AppListItem, ...], Field(max_length=500)] = ()


class _AndroidBody(_VpnBody):
    connection_type: AndroidConnection
    servers: Annotated[tuple[_VpnServer, ...], Field(max_length=500)] = ()
    always_on: StrictBool = False
    always_on_lockdown: StrictBool = False
    lockdown_exclusion_list: Texts = ()
    proxy_exclusion_list: Texts = ()
    targeted_package_ids: Texts = ()
    realm: StrictStr | None = None
    role: StrictStr | None = None


class _AndroidWorkProfileBody(_AndroidBody, name="androidWorkProfileVpnConfiguration"):
    fingerprint: StrictStr | None = None


class _AndroidDeviceOwnerBody(_AndroidBody, name="androidDeviceOwnerVpnConfiguration"):
    """androidDeviceOwnerVpnConfiguration."""


class _IosBody(_VpnBody, name="iosVpnConfiguration"):
    connection_type: AppleConnection
    server: _VpnServer
    enable_split_tunneling: StrictBool = False
    enable_per_app: StrictBool = False
    provider_type: Literal["notConfigured", "appProxy", "packetTunnel"] = "notConfigured"
    safari_domains: Texts = ()
    associated_domains: Texts = ()
    excluded_domains: Texts = ()
    on_demand_rules: Annotated[tuple[_VpnOnDemandRule, ...], Field(max_length=500)] = ()
    disable_on_demand_user_override: StrictBool | None = None
    disconnect_on_idle: StrictBool | None = None
    disconnect_on_idle_timer_in_seconds: Port | None = None


def _certificate(value: str) -> str:
    try:
        content = base64.b64decode(value, validate=True)
        parse = x509.load_pem_x509_certificate if b"-----" in content else x509.load_der_x509_certificate
        parse(content)
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be a certificate, in base64") from error
    return value


class _RootBody(NamedBody, entity=DeviceConfiguration):
    trusted_root_certificate: Annotated[StrictStr, AfterValidator(_certificate)]
    cert_file_name: FilledText


class _AndroidWorkProfileRootBody(_RootBody, name="androidWorkProfileTrustedRootCertificate"):
    """androidWorkProfileTrustedRootCertificate."""


class _AndroidDeviceOwnerRootBody(_RootBody, name="androidDeviceOwnerTrustedRootCertificate"):
    """androidDeviceOwnerTrustedRootCertificate."""


class _IosRootBody(_RootBody, name="iosTrustedRootCertificate"):
    """iosTrustedRootCertificate."""


PROFILES: Final = AssignedEntities(
    "deviceConfigurations",
    "deviceConfiguration",
    DeviceConfiguration,
    (
        _AndroidWorkProfileBody,
        _AndroidDeviceOwnerBody,
        _IosBody,
        _AndroidWorkProfileRootBody,
        _AndroidDeviceOwnerRootBody,
        _IosRootBody,
    ),
    assignment=DeviceConfigurationAssignment,
)
ROUTES = PROFILES.routes
