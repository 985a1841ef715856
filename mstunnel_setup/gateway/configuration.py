"""The model that validates a server configuration of the tenant.

Source of properties and rules: docs/reference (Graph API, configure terms): networks in CIDR form only, no
0.0.0.0, at most 500 rules, one port for TCP and UDP.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Final, NamedTuple, Self, TypeAlias

from pydantic import AliasChoices, BeforeValidator, Field, StrictBool, ValidationError, model_validator

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import quoted, text
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.fields import (
    NUMBERS,
    SWITCHES,
    Address,
    AdvancedSetting,
    Distinct,
    Domain,
    Line,
    Network,
    Properties,
    PropertyError,
    Prose,
    Route,
    at_most,
    one_line,
)

Document: TypeAlias = Mapping[str, object]

DEFAULT_PORT: Final = 443
EVERYTHING: Final = "default"
"""The split tunnelling rule that includes all traffic."""
OWN_NETWORKS: Final = IPv6Network("fdb3:7c1e:94a2::/48")
"""The IPv6 prefix that gateways use internally: a random unique local prefix (RFC 4193)."""

_MOST_RULES: Final = 500
# The gateway uses one address of the pool, so two are the minimum.
_LONGEST_PREFIX: Final = 30
_LONGEST_PREFIX_6: Final = 126
# These IPv6 ranges cannot be routed: loopback and IPv4-mapped (RFC 4291), NAT64 (RFC 6052), link-local,
# multicast.
_NOT_FOR_DEVICES: Final = ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "fe80::/10", "ff00::/8")
# ocserv reads lines of at most 2047 bytes and treats the rest as another line.
_LONGEST_SUFFIX: Final = 1000
_EMPTY_IS_UNSET: Final = frozenset(
    (
        *("network", "dnsServers", "splitDNS", "advancedSettings"),
        *("routeIncludes", "routesInclude", "routeExcludes", "routesExclude"),
    )
)


def _device_network(value: str) -> IPv4Network:
    found = fields.network(value)
    if not isinstance(found, IPv4Network):
        raise PropertyError(text("it is not an IPv4 network"), text("write one, such as 169.254.0.0/16."))
    address = found.network_address
    if address.is_unspecified or address.is_loopback or address.is_multicast:
        raise PropertyError(text("devices cannot have such addresses"), text("write a private range."))
    if found.prefixlen > _LONGEST_PREFIX:
        raise PropertyError(
            text("it is too small"), text("write a range of /{longest} or larger.", longest=_LONGEST_PREFIX)
        )
    return found


def _device_network_6(value: str) -> IPv6Network | None:
    if not value:
        return None
    found = fields.network(value)
    if not isinstance(found, IPv6Network) or any(map(found.overlaps, map(IPv6Network, _NOT_FOR_DEVICES))):
        raise PropertyError(
            text("it is not an IPv6 network for devices"), text("write one, such as fd00:1::/64.")
        )
    if found.overlaps(OWN_NETWORKS):
        raise PropertyError(
            text("the gateway uses {networks} itself", networks=OWN_NETWORKS),
            text("write another, such as fd00:1::/64."),
        )
    if found.prefixlen > _LONGEST_PREFIX_6:
        raise PropertyError(
            text("it is too small"), text("write a range of /{longest} or larger.", longest=_LONGEST_PREFIX_6)
        )
    return found


def _domains(value: str) -> list[str]:
    """Return the domains of a default suffix, separated by commas or spaces."""
    if len(value) > _LONGEST_SUFFIX:
        raise PropertyError(
            text("it is too long"), text("write at most {longest} characters.", longest=_LONGEST_SUFFIX)
        )
    return value.replace(",", " ").split()


def _without_everything(value: object) -> object:
    """Return the rules to include; empty for "default" alone, which means all traffic."""
    return () if value in ([EVERYTHING], (EVERYTHING,)) else value


# Pydantic runs the last "before" validator of a type first.
_DeviceNetwork: TypeAlias = Annotated[
    IPv4Network, BeforeValidator(_device_network), BeforeValidator(one_line)
]
_DeviceNetwork6: TypeAlias = Annotated[
    IPv6Network | None, BeforeValidator(_device_network_6), BeforeValidator(one_line)
]
_Suffix: TypeAlias = Annotated[tuple[Domain, ...], BeforeValidator(_domains), BeforeValidator(one_line)]
# The limit allows for duplicates; it bounds what a compromised agent can make root parse.
_Rules: TypeAlias = Annotated[Distinct[Route], at_most(2 * _MOST_RULES)]


class ServerConfiguration(Properties, frozen=True):
    """The settings that all gateways of a site share: a microsoftTunnelConfiguration of Graph.

    Empty `routes_include` means that all traffic uses the tunnel. `settings` has the advanced settings
    of the tenant.
    """

    policy_id: Line = Field(default="", alias="id")
    display_name: Line = Field(default="", alias="displayName")
    description: Prose = ""
    network: _DeviceNetwork
    ipv6_network: _DeviceNetwork6 = Field(default=None, alias="ipv6Network")
    # The limits bound memory: ocserv keeps each server in memory for every session.
    dns_servers: Annotated[Distinct[Address], at_most(32)] = Field(default=(), alias="dnsServers")
    default_domains: _Suffix = Field(default=(), alias="defaultDomainSuffix")
    split_dns: Annotated[Distinct[Domain], at_most(500)] = Field(default=(), alias="splitDNS")
    routes_include: Annotated[_Rules, BeforeValidator(_without_everything)] = Field(
        default=(), validation_alias=AliasChoices("routeIncludes", "routesInclude")
    )
    routes_exclude: _Rules = Field(
        default=(), validation_alias=AliasChoices("routeExcludes", "routesExclude")
    )
    listen_port: Annotated[int, Field(strict=True, ge=1, le=65535)] = Field(
        default=DEFAULT_PORT, alias="listenPort"
    )
    disable_udp: StrictBool = Field(default=False, alias="disableUdpConnections")
    settings: Annotated[tuple[AdvancedSetting, ...], at_most(100)] = Field(
        default=(), alias="advancedSettings"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, document: Document) -> Document:
        """Drop empty properties, so that of two names for one property the one with a value is used."""
        return {key: value for key, value in document.items() if value or key not in _EMPTY_IS_UNSET}

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        count = len(self.routes_include) + len(self.routes_exclude)
        if count > _MOST_RULES:
            raise PropertyError(
                text(
                    "together with the rules to exclude, more than {most} are not allowed", most=_MOST_RULES
                ),
                text("merge neighbouring ranges."),
                field="routeIncludes",
                value=f"{count} rules",
            )
        return self

    @property
    def default_domain_suffix(self) -> str:
        """One or more domains, separated by spaces for ocserv."""
        return " ".join(self.default_domains)

    @property
    def advanced_settings(self) -> Mapping[str, str]:
        """The advanced settings that have an effect; the last value of a name is used."""
        return {item.name: item.value for item in self.settings if item.has_effect}

    @property
    def tunnels_ipv6(self) -> bool:
        """Return whether IPv6 is tunnelled: there are no rules, or one includes IPv6."""
        return not self.routes_include or any(isinstance(rule, IPv6Network) for rule in self.routes_include)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings about valid settings without effect, or with an effect that may surprise."""
        includes, servers = self.routes_include, self.dns_servers
        return (
            *_without_effect(self.settings),
            *_inside_a_rule(self.network, self.ipv6_network, includes),
            *_unreachable(servers, includes, self.routes_exclude),
            *_of_one_family(self.ipv6_network, servers, includes),
        )

    @classmethod
    def from_wire(cls, document: Document) -> Self:
        """Validate a configuration. Raises TenantError `configuration-invalid` for its first error."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise _configuration_invalid(refusals(error)[0]) from error


class Refusal(NamedTuple):
    """An invalid value: reason and hint; `path` is its path, empty for the whole configuration."""

    path: tuple[int | str, ...]
    field: str
    value: object
    reason: str
    advice: str


def refusals(error: ValidationError) -> list[Refusal]:
    """Return all invalid values that pydantic finds in a server configuration."""
    found = []
    for item in error.errors(include_url=False):
        path, value = item["loc"], "" if item["type"] == "missing" else item["input"]
        problem = item.get("ctx", {}).get("error") or _TYPES.get(item["type"], _OTHERWISE_INVALID)
        field = problem.field or str(path[0])
        shown = value if problem.value is None else problem.value
        found.append(Refusal(path, field, shown, problem.reason, problem.advice))
    return found


_NOT_A_PORT: Final = PropertyError(
    text("it is not a port"), text("write a number from 1 to 65535, usually 443.")
)
_OTHERWISE_INVALID: Final = PropertyError(text("it is not valid here"), text("correct it."))
_TYPES: Final[Mapping[str, PropertyError]] = {
    "missing": PropertyError(
        text("devices need an address range"), text("enter one, such as 169.254.0.0/16.")
    ),
    "bool_type": PropertyError(text("it is neither true nor false"), text("switch it on or off.")),
    "tuple_type": PropertyError(text("it is not a list"), text("write a list.")),
    "model_type": PropertyError(text("it is not a name with a value"), text("write both.")),
    "int_type": _NOT_A_PORT,
    "greater_than_equal": _NOT_A_PORT,
    "less_than_equal": _NOT_A_PORT,
}
"""The reasons for pydantic's own errors, by error type."""


_PLACE: Final = "Tenant administration > Microsoft Tunnel Gateway > Server configurations"
# These properties have names in the admin center; the others can be set through Graph only.
_LABELS: Final[Mapping[str, str]] = {
    "displayName": text("Name"),
    "description": text("Description"),
    "network": text("IP address range"),
    "listenPort": text("Server port"),
    "dnsServers": text("DNS servers"),
    "defaultDomainSuffix": text("DNS suffix search"),
    "disableUdpConnections": text("Disable UDP Connections"),
    "routeIncludes": text("IP ranges to include"),
    "routeExcludes": text("IP ranges to exclude"),
}


def _configuration_invalid(refusal: Refusal) -> TenantError:
    label = _LABELS.get(refusal.field)
    place = (
        text("In the admin center, under {place}, change “{label}”", place=_PLACE, label=label)
        if label
        else text("With Microsoft Graph, change {field}", field=refusal.field)
    )
    return TenantError(
        "configuration-invalid",
        "the server configuration has {field} = {value}: {reason}",
        hint="{place}: {advice}",
        field=refusal.field,
        value=quoted(refusal.value),
        reason=refusal.reason,
        place=place,
        advice=refusal.advice,
    )


def _without_effect(settings: Iterable[AdvancedSetting]) -> Iterator[Problem]:
    """Yield a warning for each advanced setting that is unsupported or overridden by a later value."""
    names = set()
    for item in settings:
        if not item.has_effect:
            yield warning(
                "advanced-setting-ignored",
                "the advanced setting {name} of the server configuration has no effect",
                hint="Remove it, or use one of: {supported}.",
                name=quoted(item.name),
                supported=", ".join(sorted({*NUMBERS, *SWITCHES})),
            )
        elif item.name in names:
            yield warning(
                "advanced-setting-repeated",
                "the server configuration has the advanced setting {name} more than once; the last "
                "value is used",
                hint="Remove the others with Microsoft Graph.",
                name=item.name,
            )
        names.add(item.name)


def _unreachable(
    servers: Iterable[str], includes: tuple[Network, ...], excludes: tuple[Network, ...]
) -> tuple[Problem, ...]:
    """Yield a warning for each DNS server that devices would contact outside the tunnel."""
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
    """Yield a warning for each included route that overlaps the device addresses.

    An included route is a destination behind the gateway; traffic to the address pool never leaves it.
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
    """Yield warnings about IPv6 settings if devices get no IPv6 address, and about rules for one family only.

    With an address of a family but no route for it, openconnect sends all traffic of that family into the
    tunnel.
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
