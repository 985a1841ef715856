"""A validated server configuration of the tenant.

Source of properties and rules: docs/reference (Graph API, configure terms): networks in CIDR form only, no
0.0.0.0, at most 500 rules, one port for TCP and UDP.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Self

from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import quoted, text
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.fields import Document, Network, invalid, read_advanced

DEFAULT_PORT: Final = 443
EVERYTHING: Final = "default"
"""The rule to include that means all traffic."""
OWN_NETWORKS: Final = IPv6Network("fdb3:7c1e:94a2::/48")
"""What gateways use of IPv6 for themselves: a unique local prefix (RFC 4193), drawn once."""

_INCLUDES: Final = ("routeIncludes", "routesInclude")
_MOST_RULES: Final = 500
_MOST_SETTINGS: Final = 100
# The gateway uses one address of the pool, so two are the minimum.
_LONGEST_PREFIX: Final = 30
_LONGEST_PREFIX_6: Final = 126
# Loopback and IPv4 in IPv6 (RFC 4291), IPv4 behind a translator (RFC 6052), link-local, multicast.
_NOT_FOR_DEVICES: Final = ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "fe80::/10", "ff00::/8")
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
    warnings: tuple[Problem, ...] = ()

    @property
    def tunnels_ipv6(self) -> bool:
        """Whether IPv6 belongs in the tunnel: all traffic does, or a rule includes some of it."""
        return not self.routes_include or any(isinstance(rule, IPv6Network) for rule in self.routes_include)

    @classmethod
    def from_wire(cls, document: Document) -> Self:
        """Validate a microsoftTunnelConfiguration in Graph's format (camelCase).

        Raises PropertyError `configuration-invalid` with the property, its value and what to do.
        """
        includes = _includes(document)
        excludes = fields.items(document, ("routeExcludes", "routesExclude"), fields.route)
        if (count := len(includes) + len(excludes)) > _MOST_RULES:
            raise invalid(
                _INCLUDES[0],
                f"{count} rules",
                f"together with the rules to exclude, more than {_MOST_RULES} are not allowed",
                text("merge neighbouring ranges."),
            )
        # Generous limits; ocserv keeps each server in memory for every session.
        servers = fields.items(document, ("dnsServers",), fields.address, most=32)
        advanced, ignored = read_advanced(_pairs(document))
        network, ipv6_network = _network(document), _ipv6_network(document)
        return cls(
            policy_id=fields.text_of(document, "id"),
            display_name=fields.text_of(document, "displayName"),
            description=fields.prose(document, "description"),
            network=network,
            ipv6_network=ipv6_network,
            dns_servers=servers,
            default_domain_suffix=_suffix(document),
            split_dns=fields.items(document, ("splitDNS",), fields.domain, most=500),
            routes_include=includes,
            routes_exclude=excludes,
            listen_port=fields.port(document, "listenPort", DEFAULT_PORT),
            disable_udp=fields.flag(document, "disableUdpConnections"),
            advanced_settings=tuple(advanced.items()),
            warnings=(
                *ignored,
                *_inside_a_rule(network, ipv6_network, includes),
                *_unreachable(servers, includes, excludes),
                *_of_one_family(ipv6_network, servers, includes),
            ),
        )


def _network(document: Document) -> IPv4Network:
    field = "network"
    value = fields.text_of(document, field)
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
    value = fields.text_of(document, field)
    if not value:
        return None
    found = fields.network(field, value)
    if not isinstance(found, IPv6Network) or any(map(found.overlaps, map(IPv6Network, _NOT_FOR_DEVICES))):
        raise invalid(
            field, value, "it is not an IPv6 network for devices", "write one, such as fd00:1::/64."
        )
    if found.overlaps(OWN_NETWORKS):
        raise invalid(
            field, value, f"the gateway uses {OWN_NETWORKS} itself", "write another, such as fd00:1::/64."
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


def _suffix(document: Document) -> str:
    """One or more domains, separated by spaces for ocserv."""
    field = "defaultDomainSuffix"
    value = fields.text_of(document, field)
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
    return tuple((fields.text_of(entry, "name"), fields.text_of(entry, "value")) for entry in entries)


def _unreachable(
    servers: Iterable[str], includes: tuple[Network, ...], excludes: tuple[Network, ...]
) -> tuple[Problem, ...]:
    """A warning for each DNS server that devices would contact outside the tunnel."""
    return tuple(
        warning(
            "dns-server-outside-tunnel",
            "the split tunnelling rules exclude the DNS server {server} from the tunnel",
            hint="Include the DNS servers of your network in “IP ranges to include”.",
            server=quoted(server),
        )
        for server in servers
        if (includes and not _within(server, includes)) or _within(server, excludes)
    )


def _inside_a_rule(
    network: IPv4Network, ipv6_network: IPv6Network | None, includes: Iterable[Network]
) -> Iterator[Problem]:
    """A warning for each rule to include that overlaps the devices' own addresses.

    What a rule includes is a destination behind the gateway; the part with the pool never leaves it.
    """
    for rule in includes:
        pool = ipv6_network if isinstance(rule, IPv6Network) else network
        if pool is not None and pool.overlaps(rule):
            yield warning(
                "network-in-rule",
                "the address range for devices {network} overlaps the split tunnelling rule {rule}",
                hint="Devices cannot reach that part of {rule}: use another range, such as 169.254.0.0/16.",
                network=pool,
                rule=rule,
            )


def _of_one_family(
    ipv6_network: IPv6Network | None, servers: Iterable[str], includes: tuple[Network, ...]
) -> Iterator[Problem]:
    """A warning for all that needs IPv6 where devices get none, and for rules that leave out a family.

    Without a rule for a family of which it has an address, openconnect sends all of it into the tunnel.
    """
    families = {network.version for network in includes}
    if ipv6_network is None:
        yield from (
            warning(
                "dns-server-without-ipv6",
                "devices cannot reach the DNS server {server}: the server configuration gives them no"
                " IPv6 network",
                hint="Give them one (`mst-admin config update NAME --ipv6-network CIDR`), or use the IPv4"
                " address of the DNS server.",
                server=quoted(server),
            )
            for server in servers
            if ":" in server
        )
        yield from (
            warning(
                "rule-without-ipv6",
                "the gateway rejects device traffic to {rule}: the server configuration gives them"
                " no IPv6 network",
                hint="Give them one (`mst-admin config update NAME --ipv6-network CIDR`), or remove"
                " the rule.",
                rule=quoted(rule),
            )
            for rule in includes
            if isinstance(rule, IPv6Network)
        )
    if families == {6} or (families == {4} and ipv6_network is not None):
        yield warning(
            "rules-of-one-family",
            "no split tunnelling rule includes {family}: some devices then send all of it into the tunnel",
            hint="Include a range of {family}, or no range at all for a full tunnel.",
            family="IPv4" if families == {6} else "IPv6",
        )


def _within(server: str, networks: Iterable[Network]) -> bool:
    return any(ip_address(server) in network for network in networks)
