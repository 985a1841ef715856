"""Graph below /deviceManagement: device configurations (VPN profiles of three kinds, trusted roots).

Properties: docs/reference/mst-admin.md (generated models of msgraph-beta-sdk). The lab supports the
properties that Microsoft Tunnel uses.
"""

import base64
import binascii
from typing import Annotated, Final, Literal

from cryptography import x509
from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from mstunnel_lab.graph import bodies
from mstunnel_lab.graph.entities import AssignedEntities
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment

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


class _VpnServer(bodies.TypedPart):
    address: bodies.FilledText
    description: bodies.Text | None = None
    is_default_server: StrictBool = False


class _VpnProxyServer(bodies.TypedPart):
    address: StrictStr | None = None
    port: Port | None = None
    automatic_configuration_script_url: StrictStr | None = None


class _KeyValue(bodies.TypedPart):
    """An entry of customData."""

    key: bodies.FilledText
    value: StrictStr | None = None


class _AppListItem(bodies.TypedPart):
    name: bodies.FilledText
    publisher: StrictStr | None = None
    app_store_url: StrictStr | None = None
    app_id: StrictStr | None = None


class _VpnOnDemandRule(bodies.TypedPart):
    action: Literal["connect", "evaluateConnection", "ignore", "disconnect"]
    domain_action: Literal["connectIfNeeded", "neverConnect"] | None = None
    ssids: bodies.Texts | None = None
    dns_search_domains: bodies.Texts | None = None
    dns_server_address_match: bodies.Texts | None = None
    domains: bodies.Texts | None = None
    probe_url: StrictStr | None = None
    probe_required_url: StrictStr | None = None
    interface_type_match: Literal["notConfigured", "ethernet", "wiFi", "cellular"] = "notConfigured"


class _VpnBody(bodies.NamedBody, entity=DeviceConfiguration):
    connection_name: bodies.Name
    authentication_method: Authentication
    microsoft_tunnel_site_id: bodies.Guid | None = None
    proxy_server: _VpnProxyServer | None = None
    custom_data: Annotated[tuple[_KeyValue, ...], Field(max_length=25)] = ()
    custom_key_value_data: Annotated[tuple[bodies.KeyValuePairBody, ...], Field(max_length=25)] = ()
    targeted_mobile_apps: Annotated[tuple[_AppListItem, ...], Field(max_length=500)] = ()


class _AndroidBody(_VpnBody):
    connection_type: AndroidConnection
    servers: Annotated[tuple[_VpnServer, ...], Field(max_length=500)] = ()
    always_on: StrictBool = False
    always_on_lockdown: StrictBool = False
    lockdown_exclusion_list: bodies.Texts = ()
    proxy_exclusion_list: bodies.Texts = ()
    targeted_package_ids: bodies.Texts = ()
    realm: StrictStr | None = None
    role: StrictStr | None = None


class _AndroidWorkProfileBody(_AndroidBody, name="androidWorkProfileVpnConfiguration"):
    fingerprint: StrictStr | None = None


class _AndroidDeviceOwnerBody(_AndroidBody, name="androidDeviceOwnerVpnConfiguration"):
    """The body of an androidDeviceOwnerVpnConfiguration."""


class _IosBody(_VpnBody, name="iosVpnConfiguration"):
    connection_type: AppleConnection
    server: _VpnServer
    enable_split_tunneling: StrictBool = False
    enable_per_app: StrictBool = False
    provider_type: Literal["notConfigured", "appProxy", "packetTunnel"] = "notConfigured"
    safari_domains: bodies.Texts = ()
    associated_domains: bodies.Texts = ()
    excluded_domains: bodies.Texts = ()
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


class _RootBody(bodies.NamedBody, entity=DeviceConfiguration):
    trusted_root_certificate: Annotated[StrictStr, AfterValidator(_certificate)]
    cert_file_name: bodies.FilledText


class _AndroidWorkProfileRootBody(_RootBody, name="androidWorkProfileTrustedRootCertificate"):
    """The body of an androidWorkProfileTrustedRootCertificate."""


class _AndroidDeviceOwnerRootBody(_RootBody, name="androidDeviceOwnerTrustedRootCertificate"):
    """The body of an androidDeviceOwnerTrustedRootCertificate."""


class _IosRootBody(_RootBody, name="iosTrustedRootCertificate"):
    """The body of an iosTrustedRootCertificate."""


PROFILES: Final = AssignedEntities(
    "deviceConfigurations",
    DeviceConfiguration,
    (
        _AndroidWorkProfileBody,
        _AndroidDeviceOwnerBody,
        _IosBody,
        _AndroidWorkProfileRootBody,
        _AndroidDeviceOwnerRootBody,
        _IosRootBody,
    ),
    family="deviceConfiguration",
    assignment=DeviceConfigurationAssignment,
)
ROUTES = PROFILES.routes
