"""Rules for server configurations: the gateway's, field by field, and what only an administrator knows.

The gateway's own reader judges every field, so nothing passes here that a server would refuse later. Source:
docs/reference/mst-admin.md.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Final

from mst_admin import findings
from mst_admin.change import Body
from mst_admin.objects import ConfigurationObject
from mst_admin.wire import SESSION_TIMEOUT, configuration_body
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import Declared
from mstunnel_setup.base.text import quoted, text
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.configuration import EVERYTHING, ServerConfiguration
from mstunnel_setup.gateway.errors import PropertyError

_APIPA: Final = IPv4Network("169.254.0.0/16")
_LONGEST_SESSION: Final = 2**31 - 1
_MOST_RULES: Final = 500
_SETTING: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_VALID: Final = {"network": "169.254.0.0/16"}
_FIELDS: Final = {
    "network": ("network", findings.NETWORK_INVALID),
    "ipv6Network": ("ipv6_network", findings.IPV6_NETWORK_INVALID),
    "dnsServers": ("dns_servers", findings.DNS_SERVER_INVALID),
    "defaultDomainSuffix": ("default_domain_suffix", findings.DNS_SUFFIX_INVALID),
    "splitDNS": ("split_dns", findings.SPLIT_DNS_INVALID),
    "routeIncludes": ("route_includes", findings.ROUTE_INVALID),
    "routeExcludes": ("route_excludes", findings.ROUTE_INVALID),
    "listenPort": ("listen_port", findings.PORT_INVALID),
}
"""Property on the wire: key in declarations, and the finding about a value that the gateway refuses."""
_KEYS: Final = {
    "advanced": "advanced_settings",
    "dns": "dns_servers",
    "network": "network",
    "rule": "route_includes",
    "rules": "route_includes",
}
"""What the gateway's warnings are about: first word of the code, key in declarations."""


def judge_configuration(
    declared: ConfigurationObject, corporate_networks: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """All findings about a server configuration; warnings only when nothing is fatal."""
    body = configuration_body(declared)
    fatal = [*_served(body), *_settings(declared), *_limits(declared)]
    if fatal:
        return tuple(fatal)
    return (*_as_a_whole(body), *_advice(declared, corporate_networks))


def judge_networks(networks: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with the corporate networks themselves."""
    for network in networks:
        try:
            fields.network("corporate_networks", network)
        except PropertyError as error:
            yield _refusal(findings.CORPORATE_NETWORK_INVALID, "corporate_networks", network, error)


def _served(body: Body) -> Iterator[Finding]:
    """What the gateway refuses of each property alone."""
    for name, (key, finding) in _FIELDS.items():
        values = body[name] if isinstance(body[name], list) else [body[name]]
        for value in values:
            try:
                ServerConfiguration.from_wire({**_VALID, name: [value] if body[name] is values else value})
            except PropertyError as error:
                yield _refusal(finding, key, value, error)


def _refusal(finding: Declared[Finding], key: str, value: object, error: PropertyError) -> Finding:
    reason = text("it is a mask, not a network") if _is_mask(str(value)) else error.reason
    return finding(key=key, value=quoted(value), reason=reason, advice=_sentence(error.advice)).at(key)


def _is_mask(text: str) -> bool:
    """Whether this is an IPv4 netmask: some documentation shows one as an example of a rule."""
    try:
        return "/" not in text and IPv4Network(f"0.0.0.0/{text}").prefixlen > 0
    except ValueError:
        return False


def _settings(declared: ConfigurationObject) -> Iterator[Finding]:
    """What the gateway refuses of advanced settings and of the session timeout."""
    for name, value in declared.advanced_settings.items():
        if not (_SETTING.fullmatch(name) and value):
            yield findings.ADVANCED_SETTING_MALFORMED(name=quoted(name), value=quoted(value))
            continue
        try:
            ServerConfiguration.from_wire({**_VALID, "advancedSettings": [{"name": name, "value": value}]})
        except PropertyError as error:
            yield findings.ADVANCED_SETTING_INVALID(
                key=f"advanced_settings.{name}",
                value=quoted(value),
                reason=error.reason,
                advice=_sentence(error.advice),
            )
    if declared.session_timeout is None:
        return
    if SESSION_TIMEOUT in declared.advanced_settings:
        yield findings.SESSION_TIMEOUT_TWICE(name=SESSION_TIMEOUT)
    if not 0 < declared.session_timeout < _LONGEST_SESSION:
        yield findings.SESSION_TIMEOUT_INVALID(value=quoted(declared.session_timeout))


def _limits(declared: ConfigurationObject) -> Iterator[Finding]:
    if len(declared.default_domain_suffix.replace(",", " ").split()) > 1:
        yield findings.DNS_SUFFIX_INVALID(
            key="default_domain_suffix",
            value=quoted(declared.default_domain_suffix),
            reason=text("it is more than one domain"),
            advice=text("Write one domain."),
        )
    if EVERYTHING in declared.route_includes and len(declared.route_includes) > 1:
        yield findings.ROUTE_INVALID(
            key="route_includes",
            value=quoted(EVERYTHING),
            reason=text("it is all traffic, so there must be no other rules"),
            advice=text("Remove it or the others."),
        )
    count = len(declared.route_includes) + len(declared.route_excludes)
    if count > _MOST_RULES:
        key = "route_includes" if declared.route_includes else "route_excludes"
        yield findings.ROUTES_TOO_MANY(count=count, most=_MOST_RULES).at(key)


def _as_a_whole(body: Body) -> Iterator[Finding]:
    """The gateway's warnings: settings without effect, what devices do not reach, rules for one family."""
    for warning in ServerConfiguration.from_wire(body).warnings:
        key = _KEYS[warning.code.partition("-")[0]]
        yield Finding(warning.code, warning.message, warning.hint, key=key)


def _advice(declared: ConfigurationObject, corporate_networks: Sequence[str]) -> Iterator[Finding]:
    yield from _host_bits(declared)
    devices = [ip_network(text, strict=False) for text in (declared.network, declared.ipv6_network) if text]
    own = [ip_network(text, strict=False) for text in corporate_networks]
    for network in devices:
        for other in own:
            if network.version == other.version and network.overlaps(other):
                key = "network" if isinstance(network, IPv4Network) else "ipv6_network"
                yield findings.NETWORK_OVERLAP(network=network, other=other).at(key)
    if not own and not (isinstance(devices[0], IPv4Network) and devices[0].subnet_of(_APIPA)):
        yield findings.NETWORK_NOT_APIPA(network=quoted(declared.network), safe=_APIPA)
    if declared.disable_udp_connections:
        yield findings.UDP_OFF()


def _host_bits(declared: ConfigurationObject) -> Iterator[Finding]:
    for key in ("network", "ipv6_network", "route_includes", "route_excludes"):
        given = getattr(declared, key)
        for network_text in (given,) if isinstance(given, str) else given:
            network = ip_network(network_text, strict=False) if "/" in network_text else None
            if network is not None and not network_text.startswith(f"{network.network_address}/"):
                yield findings.HOST_BITS_CUT(key=key, value=quoted(network_text), network=network).at(key)


def _sentence(advice: str) -> str:
    return advice[:1].upper() + advice[1:]
