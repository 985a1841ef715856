"""What is wrong with a VPN profile that is in the tenant already, whoever made it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.profiles.objects import AppObject, Platform, ProfileObject, ProxyObject, RuleObject
from mstunnel_setup.profiles.rules import judge_profile
from mstunnel_setup.profiles.wire import CLIENT_KEYS, TYPES, server_address
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelSite

_PLATFORMS: Final = {name: platform for platform, name in TYPES.items()}
_ACTIONS: Final = {"evaluateConnection": "evaluate"}
_DOMAIN_ACTIONS: Final = {"connectIfNeeded": "connect-if-needed", "neverConnect": "never-connect"}
_INTERFACES: Final = {"ethernet": "ethernet", "wiFi": "wifi", "cellular": "cellular"}
_TUNNEL: Final = frozenset({"microsoftTunnel", "microsoftProtect"})


def is_tunnel_profile(found: DeviceConfiguration) -> bool:
    """Whether this is a VPN profile whose connection is Microsoft Tunnel."""
    return found.odata_type in _PLATFORMS and extra(found).get("connectionType") in _TUNNEL


def lint(
    found: DeviceConfiguration, site: TunnelSite | None, assignments: Sequence[DeviceConfigurationAssignment]
) -> tuple[Finding, ...]:
    """Everything there is to say about a profile; `site` is the one that it names, None: there is none."""
    profile = profile_object(found, assignments)
    findings = judge_profile(profile, split_rules=split_rules(site) if site else None)
    return (*_connection(found), *_site(found, site), *findings)


def split_rules(site: TunnelSite) -> bool | None:
    """Whether the server configuration of a site has split tunnelling rules; None when it was not read."""
    configuration = site.microsoft_tunnel_configuration
    return bool(configuration.includes or configuration.excludes) if configuration else None


def profile_object(
    found: DeviceConfiguration, assignments: Sequence[DeviceConfigurationAssignment]
) -> ProfileObject:
    """A profile of the tenant as it would be written; its values are not judged."""
    wire = extra(found)
    return ProfileObject.model_construct(
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
        custom_settings=_custom(wire),
        groups=tuple(_groups(assignments, "groupAssignmentTarget")),
        excluded_groups=tuple(_groups(assignments, "exclusionGroupAssignmentTarget")),
        role_scope_tag_ids=found.role_scope_tag_ids,
    )


def _connection(found: DeviceConfiguration) -> Iterator[Finding]:
    kind = extra(found).get("connectionType")
    if kind not in _TUNNEL:
        message = f"the connection type is {kind}, not Microsoft Tunnel"
        yield Finding("not-a-tunnel-profile", "connection", message, "Choose another profile.")
    elif kind == "microsoftTunnel" and _PLATFORMS[found.odata_type] is not Platform.IOS:
        yield Finding(
            "retired-client",
            "connection",
            "on Android the connection type microsoftTunnel is the retired stand-alone client",
            "Make a new profile; the type of this one cannot be changed.",
        )


def _site(found: DeviceConfiguration, site: TunnelSite | None) -> Iterator[Finding]:
    wire = extra(found)
    if site is None:
        named = wire.get("microsoftTunnelSiteId") or "none"
        yield Finding(
            "site-missing",
            "site",
            f"the site that the profile names ({named}) does not exist",
            "Choose a site.",
        )
        return
    servers = wire.get("servers") or [wire.get("server")]
    addresses = [str(item["address"]) for item in servers if item]
    configuration = site.microsoft_tunnel_configuration
    port = (configuration.listen_port if configuration else None) or 443
    wanted = server_address(site.public_address or "", port)
    if [text.casefold() for text in addresses] != [wanted.casefold()]:
        yield Finding(
            "server-address-differs",
            "site",
            f"the profile names {', '.join(addresses) or 'no server'}, the site is at {wanted}",
            "Choose the site again in the profile, or make a new one.",
        )


def extra(found: DeviceConfiguration) -> dict[str, Any]:
    """The properties of the derived type."""
    return found.model_extra or {}


def _texts(wire: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(str, wire.get(name) or ()))


def _apps(wire: Mapping[str, Any]) -> Iterator[AppObject]:
    listed = {str(item.get("appId")): item for item in wire.get("targetedMobileApps") or ()}
    for package in dict.fromkeys([*_texts(wire, "targetedPackageIds"), *listed]):
        known = listed.get(package, {})
        yield AppObject.model_construct(
            id=package,
            name=str(known.get("name") or package),
            publisher=known.get("publisher"),
            store_url=known.get("appStoreUrl"),
        )


def _proxy(wire: Mapping[str, Any] | None) -> ProxyObject | None:
    if not wire or not any(wire.get(name) for name in ("address", "automaticConfigurationScriptUrl")):
        return None
    return ProxyObject.model_construct(
        address=wire.get("address") or None,
        port=wire.get("port"),
        pac_url=wire.get("automaticConfigurationScriptUrl") or None,
    )


def _rule(wire: Mapping[str, Any]) -> RuleObject:
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


def _custom(wire: Mapping[str, Any]) -> dict[str, str]:
    entries = [(item.get("key"), item.get("value")) for item in wire.get("customData") or ()]
    entries += [(item.get("name"), item.get("value")) for item in wire.get("customKeyValueData") or ()]
    return {str(key): str(value) for key, value in entries if key not in CLIENT_KEYS and value is not None}


def _groups(assignments: Sequence[DeviceConfigurationAssignment], kind: str) -> Iterator[str]:
    for item in assignments:
        if item.target.odata_type == f"#microsoft.graph.{kind}" and item.target.group_id:
            yield item.target.group_id
