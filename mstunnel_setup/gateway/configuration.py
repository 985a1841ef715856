"""A validated server configuration of the tenant.

Source of properties and rules: docs/reference (Graph API, configure terms): networks in CIDR form only, no
0.0.0.0, at most 500 rules, one port for TCP and UDP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Self

from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.advanced import read_advanced
from mstunnel_setup.gateway.errors import DNS_SERVER_OUTSIDE_TUNNEL, ConfigurationWarning
from mstunnel_setup.gateway.fields import Document, Network, invalid
from mstunnel_setup.text import quoted

DEFAULT_PORT: Final = 443
EVERYTHING: Final = "default"
"""The rule to include that means all traffic."""

_INCLUDES: Final = ("routeIncludes", "routesInclude")
_EXCLUDES: Final = ("routeExcludes", "routesExclude")
_MOST_RULES: Final = 500
# A generous limit; ocserv keeps each in memory for every session.
_MOST_SERVERS: Final = 32
_MOST_DOMAINS: Final = 500
_MOST_SETTINGS: Final = 100
# The gateway uses one address of the pool, so two are the minimum.
_LONGEST_PREFIX: Final = 30
_LONGEST_PREFIX_6: Final = 126
# ocserv reads lines of at most 2047 bytes and treats the rest as another line.
_LONGEST_SUFFIX: Final = 1000


@dataclass(frozen=True, kw_only=True)
class ServerConfiguration:
    """The settings that all gateways of a site share.

    Empty `routes_include` means that all traffic goes through the tunnel. `advanced_settings` are pairs of
    ocserv's name and value, sorted.
    """

    policy_id: str
    display_name: str
    description: str
    network: IPv4Network
    ipv6_network: IPv6Network | None = None
    dns_servers: tuple[str, ...] = ()
    default_domain_suffix: str = ""
    split_dns: tuple[str, ...] = ()
    routes_include: tuple[Network, ...] = ()
    routes_exclude: tuple[Network, ...] = ()
    listen_port: int = DEFAULT_PORT
    disable_udp: bool = False
    advanced_settings: tuple[tuple[str, str], ...] = ()
    warnings: tuple[ConfigurationWarning, ...] = ()

    @classmethod
    def from_wire(cls, document: Document) -> Self:
        """Validate a microsoftTunnelConfiguration in Graph's format (camelCase).

        Raises PropertyError `configuration-invalid` with the property, its value and what to do.
        """
        includes = _includes(document)
        excludes = fields.items(document, _EXCLUDES, fields.route)
        _limit_rules(len(includes) + len(excludes))
        servers = fields.items(document, ("dnsServers",), fields.address, _MOST_SERVERS)
        advanced, ignored = read_advanced(_pairs(document))
        return cls(
            policy_id=fields.text(document, "id"),
            display_name=fields.text(document, "displayName"),
            description=fields.prose(document, "description"),
            network=_network(document),
            ipv6_network=_ipv6_network(document),
            dns_servers=servers,
            default_domain_suffix=_suffix(document),
            split_dns=fields.items(document, ("splitDNS",), fields.domain, _MOST_DOMAINS),
            routes_include=includes,
            routes_exclude=excludes,
            listen_port=fields.port(document, "listenPort", DEFAULT_PORT),
            disable_udp=fields.flag(document, "disableUdpConnections"),
            advanced_settings=tuple(advanced.items()),
            warnings=(*ignored, *_unreachable(servers, includes, excludes)),
        )


def _network(document: Document) -> IPv4Network:
    field = "network"
    value = fields.text(document, field)
    if not value:
        raise invalid(field, value, "devices need an address range", "enter one, such as 169.254.0.0/16.")
    found = fields.network(field, value)
    if not isinstance(found, IPv4Network):
        raise invalid(field, value, "it is not an IPv4 network", "write one, such as 169.254.0.0/16.")
    address = found.network_address
    if address.is_unspecified or address.is_loopback or address.is_multicast:
        raise invalid(field, value, "devices cannot have such addresses", "write a private range.")
    if found.prefixlen > _LONGEST_PREFIX:
        raise invalid(field, value, "it is too small", f"write a range of /{_LONGEST_PREFIX} or larger.")
    return found


def _ipv6_network(document: Document) -> IPv6Network | None:
    field = "ipv6Network"
    value = fields.text(document, field)
    if not value:
        return None
    found = fields.network(field, value)
    address = found.network_address
    if not isinstance(found, IPv6Network) or address.is_unspecified or address.is_multicast:
        raise invalid(
            field, value, "it is not an IPv6 network for devices", "write one, such as fd00:1::/64."
        )
    if found.prefixlen > _LONGEST_PREFIX_6:
        raise invalid(field, value, "it is too small", f"write a range of /{_LONGEST_PREFIX_6} or larger.")
    return found


def _includes(document: Document) -> tuple[Network, ...]:
    """The rules to include; "default" alone means none."""
    for field in _INCLUDES:
        value = document.get(field)
        if value:
            everything = isinstance(value, list | tuple) and list(value) == [EVERYTHING]
            return () if everything else fields.items(document, (field,), fields.route)
    return ()


def _limit_rules(count: int) -> None:
    if count > _MOST_RULES:
        raise invalid(
            _INCLUDES[0],
            f"{count} rules",
            f"together with the rules to exclude, more than {_MOST_RULES} are not allowed",
            "join neighbouring ranges.",
        )


def _suffix(document: Document) -> str:
    """One or more domains, separated by spaces for ocserv."""
    field = "defaultDomainSuffix"
    value = fields.text(document, field)
    if len(value) > _LONGEST_SUFFIX:
        raise invalid(field, value, "it is too long", f"write at most {_LONGEST_SUFFIX} characters.")
    return " ".join(fields.domain(field, name) for name in value.replace(",", " ").split())


def _pairs(document: Document) -> tuple[tuple[str, str], ...]:
    field = "advancedSettings"
    entries = document.get(field)
    if not entries:
        return ()
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid(field, entries, "it is not a list of names and values", "write such a list.")
    if len(entries) > _MOST_SETTINGS:
        found = f"{len(entries)} settings"
        raise invalid(field, found, "it is too long", f"write at most {_MOST_SETTINGS} settings.")
    return tuple((fields.text(entry, "name"), fields.text(entry, "value")) for entry in entries)


def _unreachable(
    servers: Iterable[str], includes: tuple[Network, ...], excludes: tuple[Network, ...]
) -> tuple[ConfigurationWarning, ...]:
    """A warning for each DNS server that devices would contact outside the tunnel."""
    return tuple(
        DNS_SERVER_OUTSIDE_TUNNEL(server=quoted(server))
        for server in servers
        if (includes and not _within(server, includes)) or _within(server, excludes)
    )


def _within(server: str, networks: Iterable[Network]) -> bool:
    return any(ip_address(server) in network for network in networks)
