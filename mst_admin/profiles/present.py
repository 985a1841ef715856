"""VPN profiles of the tenant, whatever created them, as they would be written."""

from collections.abc import Iterator, Sequence
from typing import Final

from mst_admin.assignments import assignees, undeclarable_targets
from mst_admin.change import Body, Wire
from mst_admin.comparison import canonical
from mst_admin.profiles import findings
from mst_admin.profiles.objects import AppObject, Platform, ProfileObject, ProxyObject, RuleObject
from mst_admin.profiles.wire import CLIENT_KEYS, CONNECTIONS, TYPES, profile_body
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment

_PLATFORMS: Final = {name: platform for platform, name in TYPES.items()}
_CONNECTIONS: Final = {name: connection for connection, name in CONNECTIONS.items()}
_ACTIONS: Final = {"evaluateConnection": "evaluate"}
_DOMAIN_ACTIONS: Final = {"connectIfNeeded": "connect-if-needed", "neverConnect": "never-connect"}
_INTERFACES: Final = {"ethernet": "ethernet", "wiFi": "wifi", "cellular": "cellular"}
_OF_THE_TENANT: Final = frozenset(
    {"id", "version", "createdDateTime", "lastModifiedDateTime", "supportsScopeTags", "microsoftTunnelSiteId"}
)
"""Properties that a new profile gets from the tenant, and the site, which files know by its name."""
_SAID_OTHERWISE: Final = frozenset(
    {"customData", "customKeyValueData", "targetedPackageIds", "targetedMobileApps", "server", "servers"}
)
"""Properties whose meaning a file keeps, though not their form."""


def is_tunnel_profile(found: DeviceConfiguration) -> bool:
    """Whether this is a VPN profile whose connection is Microsoft Tunnel."""
    return found.odata_type in _PLATFORMS and extra(found).get("connectionType") in _CONNECTIONS


def is_for_ios(found: DeviceConfiguration) -> bool:
    """Whether this is a VPN profile for iOS, the only ones that an app can name."""
    return found.odata_type == TYPES[Platform.IOS]


def profile_object(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> ProfileObject:
    """A profile of the tenant as it would be written; its values are not judged."""
    wire = extra(found)
    entries = [(item.get("key"), item.get("value")) for item in wire.get("customData") or ()]
    entries += [(item.get("name"), item.get("value")) for item in wire.get("customKeyValueData") or ()]
    profile = ProfileObject.model_construct(
        platform=_PLATFORMS[found.odata_type],
        name=found.display_name,
        description=found.description or "",
        connection_name=str(wire.get("connectionName") or ""),
        site=str(wire.get("microsoftTunnelSiteId") or ""),
        per_app=bool(wire.get("enablePerApp")),
        apps=tuple(_apps(wire)),
        always_on=bool(wire.get("alwaysOn")),
        lockdown=bool(wire.get("alwaysOnLockdown")),
        lockdown_exclusions=_texts(wire, "lockdownExclusionList"),
        on_demand_rules=tuple(_rule(item) for item in wire.get("onDemandRules") or ()),
        block_override=bool(wire.get("disableOnDemandUserOverride")),
        safari_domains=_texts(wire, "safariDomains"),
        associated_domains=_texts(wire, "associatedDomains"),
        excluded_domains=_texts(wire, "excludedDomains"),
        proxy=_proxy(wire.get("proxyServer")),
        proxy_exclusions=_texts(wire, "proxyExclusionList"),
        custom_settings={
            str(key): str(value) for key, value in entries if key not in CLIENT_KEYS and value is not None
        },
        role_scope_tag_ids=found.role_scope_tag_ids,
        **assignees(assignments),
    )
    connection = _CONNECTIONS.get(str(wire.get("connectionType")), profile.connection)
    other = None if connection is profile.connection else connection
    return profile.model_copy(update={"connection_type": other})


def present_body(profile: ProfileObject, found: DeviceConfiguration, wanted: str) -> Body:
    """The body that a profile of the tenant, read as `profile`, has come from, as far as a file can say it.

    A property is so in this body and in that of a declared profile when both say the same; what no file can
    say is so in both. A server at the address `wanted` is as good as any other way of naming it.
    """
    addresses = addresses_of(found)
    named = wanted if wanted.casefold() in map(str.casefold, addresses) else ", ".join(addresses)
    return profile_body(profile, str(extra(found).get("microsoftTunnelSiteId") or ""), named)


def not_declared(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> Iterator[Finding]:
    """What a file cannot say of a profile: a tenant that is made from the file does not get it."""
    for what in (*_lost_properties(found, assignments), *undeclarable_targets(assignments)):
        yield findings.PROFILE_NOT_DECLARABLE(profile=plain(found.display_name), what=plain(what))


def _lost_properties(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> Iterator[str]:
    wire = found.model_dump(mode="json", by_alias=True)
    kept = profile_body(profile_object(found, assignments), "", "")
    for name, value in wire.items():
        if name in _OF_THE_TENANT | _SAID_OTHERWISE or "@" in name:
            continue
        if canonical(value) not in (None, canonical(kept.get(name))):
            yield name
    if len(addresses_of(found)) > 1:
        yield text("more than one server")
    entries = wire.get("customData") or ()
    yield from (
        text("customData {key} without a value", key=item["key"])
        for item in entries
        if item.get("value") is None and item.get("key") not in CLIENT_KEYS
    )


def addresses_of(found: DeviceConfiguration) -> list[str]:
    """The servers that a profile names, as HOST:PORT."""
    servers = extra(found).get("servers") or [extra(found).get("server")]
    return [str(item.get("address")) for item in servers if item]


def extra(found: DeviceConfiguration) -> Body:
    """The properties of the derived type."""
    return found.model_extra or {}


def _texts(wire: Wire, name: str) -> tuple[str, ...]:
    return tuple(map(str, wire.get(name) or ()))


def _apps(wire: Wire) -> Iterator[AppObject]:
    listed = {str(item.get("appId")): item for item in wire.get("targetedMobileApps") or ()}
    for package in dict.fromkeys([*_texts(wire, "targetedPackageIds"), *listed]):
        known = listed.get(package, {})
        yield AppObject.model_construct(
            id=package,
            name=str(known.get("name") or package),
            publisher=known.get("publisher"),
            store_url=known.get("appStoreUrl"),
        )


def _proxy(wire: Wire | None) -> ProxyObject | None:
    if not wire or not any(wire.get(name) for name in ("address", "automaticConfigurationScriptUrl")):
        return None
    return ProxyObject.model_construct(
        address=wire.get("address") or None,
        port=wire.get("port"),
        pac_url=wire.get("automaticConfigurationScriptUrl") or None,
    )


def _rule(wire: Wire) -> RuleObject:
    action, domain_action = str(wire.get("action")), wire.get("domainAction")
    return RuleObject.model_construct(
        action=_ACTIONS.get(action, action),
        domain_action=_DOMAIN_ACTIONS.get(str(domain_action)),
        domains=_texts(wire, "domains"),
        dns_servers=_texts(wire, "dnsServerAddressMatch"),
        ssids=_texts(wire, "ssids"),
        search_domains=_texts(wire, "dnsSearchDomains"),
        interface=_INTERFACES.get(str(wire.get("interfaceTypeMatch"))),
        probe_url=wire.get("probeUrl"),
        probe_required_url=wire.get("probeRequiredUrl"),
    )
