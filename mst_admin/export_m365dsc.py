"""A tenant as a configuration of Microsoft365DSC, as far as that has resources.

It has them for VPN profiles and trusted roots; for server configurations, sites, servers and thresholds of
Microsoft Tunnel it has none (docs/reference/mst-admin.md).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mst_admin.assignments import TYPE, target_of
from mst_admin.change import Body, Wire
from mst_admin.plan import Tenant
from mst_admin.powershell import Instance, Variable, block, string
from mst_admin.present_profiles import PresentProfile
from mstunnel_setup.base.problem import Problem, warning

_PARAMETERS: Final = ("ApplicationId", "TenantId", "CertificateThumbprint")
_COMMON: Final = frozenset({"displayName", "description", "roleScopeTagIds"})
_VPN: Final = _COMMON | {"authenticationMethod", "connectionName", "connectionType", "microsoftTunnelSiteId"}
_EMBEDDED: Final = {
    "servers": "MSFT_MicrosoftGraphVpnServer",
    "server": "MSFT_MicrosoftGraphVpnServer",
    "proxyServer": "MSFT_MicrosoftvpnProxyServer",
    "customData": "MSFT_CustomData",
    "customKeyValueData": "MSFT_customKeyValueData",
    "onDemandRules": "MSFT_DeviceManagementConfigurationPolicyVpnOnDemandRule",
    "targetedMobileApps": "MSFT_targetedMobileApps",
}
"""The classes of properties that have properties of their own; each is a list in the resource."""
_SETTINGS: Final = frozenset({"customData", "customKeyValueData", "proxyServer"})
_ANDROID: Final = frozenset(
    {*_VPN, *_SETTINGS, "servers", "alwaysOn", "alwaysOnLockdown", "proxyExclusionList"}
    | {"targetedPackageIds", "targetedMobileApps"}
)
_IOS: Final = frozenset(
    {*_VPN, *_SETTINGS, "server", "enableSplitTunneling", "enablePerApp", "providerType", "onDemandRules"}
    | {"safariDomains", "associatedDomains", "excludedDomains", "disableOnDemandUserOverride"}
    | {"disconnectOnIdle", "disconnectOnIdleTimerInSeconds", "optInToDeviceIdSharing"}
)
_ROOT: Final = _COMMON | {"certFileName", "trustedRootCertificate"}
RESOURCES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "#microsoft.graph.androidWorkProfileVpnConfiguration": (
        "IntuneVPNConfigurationPolicyAndroidWork",
        _ANDROID,
    ),
    "#microsoft.graph.androidDeviceOwnerVpnConfiguration": (
        "IntuneVPNConfigurationPolicyAndroidDeviceOwner",
        _ANDROID,
    ),
    "#microsoft.graph.iosVpnConfiguration": ("IntuneVPNConfigurationPolicyIOS", _IOS),
    "#microsoft.graph.androidWorkProfileTrustedRootCertificate": (
        "IntuneTrustedRootCertificateAndroidWork",
        _ROOT,
    ),
    "#microsoft.graph.androidDeviceOwnerTrustedRootCertificate": (
        "IntuneTrustedRootCertificateAndroidDeviceOwner",
        _ROOT,
    ),
    "#microsoft.graph.iosTrustedRootCertificate": ("IntuneTrustedRootCertificateIOS", _ROOT),
}
"""The resource for each type of Graph, and the properties that it has."""
_OF_THE_TENANT: Final = frozenset(
    {"id", "version", "createdDateTime", "lastModifiedDateTime", "supportsScopeTags", TYPE}
)


def m365dsc_of(tenant: Tenant) -> dict[str, str]:
    """The file by its name."""
    lines = [
        "# Written by `mst-admin export --format m365dsc` for the PowerShell module Microsoft365DSC.",
        "Configuration MicrosoftTunnel",
        "{",
        "    param(",
        *(
            f"        [Parameter(Mandatory)] [System.String] ${name}{',' if name != _PARAMETERS[-1] else ''}"
            for name in _PARAMETERS
        ),
        "    )",
        "    Import-DscResource -ModuleName Microsoft365DSC",
        "    Node localhost",
        "    {",
        *(line for profile in tenant.profiles for line in _resource(profile)),
        "    }",
        "}",
    ]
    return {"tenant.ps1": "\n".join(lines) + "\n"}


def left_out(tenant: Tenant) -> Iterator[Problem]:
    """The properties of each object that its resource does not have."""
    for profile in tenant.profiles:
        resource, known = RESOURCES[profile.found.odata_type]
        names = sorted(_set(profile).keys() - known)
        if names:
            found = profile.found.display_name
            yield warning(
                "properties-not-in-format",
                "{name}: {resource} has no {properties}",
                hint="Set them in the admin center, or apply this object from YAML.",
                name=found,
                resource=resource,
                properties=", ".join(names),
            )


def _resource(profile: PresentProfile) -> Iterator[str]:
    resource, known = RESOURCES[profile.found.odata_type]
    properties = {
        name[:1].upper() + name[1:] if name in _COMMON else name: _value(name, value)
        for name, value in _set(profile).items()
        if name in known
    }
    if profile.assignments:
        properties["Assignments"] = [_assignment(target_of(item)) for item in profile.assignments]
    signed_in = {name: Variable(name) for name in _PARAMETERS}
    head = f"{resource} {string(profile.found.display_name)}"
    yield from block(head, {**properties, "Ensure": "Present", **signed_in}, "        ")


def _set(profile: PresentProfile) -> Body:
    """What is set of a profile, without what the tenant sets."""
    return {
        name: value
        for name, value in profile.found.document().items()
        if name not in _OF_THE_TENANT and value not in (None, [], "")
    }


def _value(name: str, value: Any) -> object:
    if name not in _EMBEDDED:
        return value
    items = value if isinstance(value, list) else [value]
    return [Instance(_EMBEDDED[name], _without_null(item)) for item in items]


def _assignment(target: Wire) -> Instance:
    others = {name: value for name, value in target.items() if name != TYPE}
    return Instance(
        "MSFT_DeviceManagementConfigurationPolicyAssignments", {"dataType": target[TYPE], **others}
    )


def _without_null(item: Wire) -> Body:
    return {name: value for name, value in item.items() if value is not None and name != TYPE}
