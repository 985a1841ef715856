"""Rules for server configurations: the gateway's, field by field, and what only an administrator knows.

The gateway's own reader judges every field, so nothing passes here that a server would refuse later. Source:
docs/reference/mst-admin.md.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from mstunnel_setup.admin.objects import ConfigurationObject
from mstunnel_setup.admin.wire import SESSION_TIMEOUT, configuration_body
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.configuration import EVERYTHING, ServerConfiguration
from mstunnel_setup.gateway.errors import PropertyError
from mstunnel_setup.text import quoted

_APIPA: Final = IPv4Network("169.254.0.0/16")
_LONGEST_SESSION: Final = 2**31 - 1
_MOST_RULES: Final = 500
_SETTING: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_VALID: Final = {"network": "169.254.0.0/16"}
_FIELDS: Final = {
    "network": ("network", "network-invalid"),
    "ipv6Network": ("ipv6_network", "ipv6-network-invalid"),
    "dnsServers": ("dns_servers", "dns-server-invalid"),
    "defaultDomainSuffix": ("default_domain_suffix", "dns-suffix-invalid"),
    "splitDNS": ("split_dns", "split-dns-invalid"),
    "routeIncludes": ("route_includes", "route-invalid"),
    "routeExcludes": ("route_excludes", "route-invalid"),
    "listenPort": ("listen_port", "port-invalid"),
}
"""Property on the wire: key in declarations, and code of what the gateway says about its value."""


def judge_configuration(
    declared: ConfigurationObject, corporate_networks: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Everything there is to say about a server configuration, what is fatal first."""
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
            yield _refusal("corporate-network-invalid", "corporate_networks", network, error)


def _served(body: dict[str, Any]) -> Iterator[Finding]:
    """What the gateway says about each property on its own."""
    for name, (key, code) in _FIELDS.items():
        values = body[name] if isinstance(body[name], list) else [body[name]]
        for value in values:
            try:
                ServerConfiguration.from_wire({**_VALID, name: [value] if body[name] is values else value})
            except PropertyError as error:
                yield _refusal(code, key, value, error)


def _refusal(code: str, key: str, value: object, error: PropertyError) -> Finding:
    reason = "it is a mask, not a network" if _is_mask(str(value)) else error.reason
    return Finding(code, key, f"{key} is {quoted(value)}: {reason}", _sentence(error.advice))


def _is_mask(text: str) -> bool:
    """Tell whether this is an IPv4 netmask: some documentation shows one as an example of a rule."""
    try:
        return "/" not in text and IPv4Network(f"0.0.0.0/{text}").prefixlen > 0
    except ValueError:
        return False


def _settings(declared: ConfigurationObject) -> Iterator[Finding]:
    """What the gateway says about advanced settings, the session timeout among them."""
    for name, value in declared.advanced_settings.items():
        if not (_SETTING.fullmatch(name) and value):
            yield Finding(
                "advanced-setting-malformed",
                "advanced_settings",
                f"advanced_settings has {quoted(name)} = {quoted(value)}: this is not a valid setting",
                "Write the ocserv name of a setting, such as idle-timeout, with a value.",
            )
            continue
        try:
            ServerConfiguration.from_wire({**_VALID, "advancedSettings": [{"name": name, "value": value}]})
        except PropertyError as error:
            key = "advanced_settings"
            yield Finding(
                "advanced-setting-invalid",
                key,
                f"{key}.{name} is {quoted(value)}: {error.reason}",
                _sentence(error.advice),
            )
    if declared.session_timeout is None:
        return
    if SESSION_TIMEOUT in declared.advanced_settings:
        yield Finding(
            "session-timeout-twice",
            "session_timeout",
            f"session_timeout is also given as advanced setting {SESSION_TIMEOUT}",
            "Remove one of them.",
        )
    if not 0 < declared.session_timeout < _LONGEST_SESSION:
        yield Finding(
            "session-timeout-invalid",
            "session_timeout",
            f"session_timeout is {quoted(declared.session_timeout)}: out of range",
            "Write a whole number of seconds from 1; 3600 is the default.",
        )


def _limits(declared: ConfigurationObject) -> Iterator[Finding]:
    if len(declared.default_domain_suffix.replace(",", " ").split()) > 1:
        yield Finding(
            "dns-suffix-invalid",
            "default_domain_suffix",
            f"default_domain_suffix is {quoted(declared.default_domain_suffix)}: it is more than one domain",
            "Write one domain.",
        )
    if EVERYTHING in declared.route_includes and len(declared.route_includes) > 1:
        yield Finding(
            "route-invalid",
            "route_includes",
            f"route_includes has {quoted(EVERYTHING)}, which is all traffic, beside other rules",
            "Remove it or the others.",
        )
    count = len(declared.route_includes) + len(declared.route_excludes)
    if count > _MOST_RULES:
        yield Finding(
            "routes-too-many",
            "route_includes" if declared.route_includes else "route_excludes",
            f"there are {count} split tunnelling rules: more than {_MOST_RULES} are not allowed in total",
            "Join neighbouring ranges.",
        )


def _as_a_whole(body: dict[str, Any]) -> Iterator[Finding]:
    """The gateway's warnings: settings without effect, DNS servers outside the tunnel."""
    for warning in ServerConfiguration.from_wire(body).warnings:
        key = "dns_servers" if warning.code.startswith("dns-") else "advanced_settings"
        yield Finding(warning.code, key, warning.message, warning.hint, fatal=False)


def _advice(declared: ConfigurationObject, corporate_networks: Sequence[str]) -> Iterator[Finding]:
    yield from _host_bits(declared)
    devices = [ip_network(text, strict=False) for text in (declared.network, declared.ipv6_network) if text]
    own = [ip_network(text, strict=False) for text in corporate_networks]
    for network in devices:
        yield from _overlaps(network, own)
    if not own and not (isinstance(devices[0], IPv4Network) and devices[0].subnet_of(_APIPA)):
        yield Finding(
            "network-not-apipa",
            "network",
            f"network is {quoted(declared.network)}: not checked against your networks",
            f"List your networks in `corporate_networks`, or use {_APIPA}, which cannot overlap them.",
            fatal=False,
        )
    if declared.disable_udp_connections:
        yield Finding(
            "udp-off",
            "disable_udp_connections",
            "without UDP, only devices with Microsoft Defender for Endpoint can connect",
            "Move all devices to Microsoft Defender for Endpoint first.",
            fatal=False,
        )


def _host_bits(declared: ConfigurationObject) -> Iterator[Finding]:
    for key in ("network", "ipv6_network", "route_includes", "route_excludes"):
        given = getattr(declared, key)
        for text in (given,) if isinstance(given, str) else given:
            network = ip_network(text, strict=False) if "/" in text else None
            if network is not None and not text.startswith(f"{network.network_address}/"):
                yield Finding(
                    "host-bits-cut",
                    key,
                    f"{key} has {quoted(text)}, which is an address in {network}",
                    f"Write {network}; this network is sent.",
                    fatal=False,
                )


def _overlaps(
    network: IPv4Network | IPv6Network, own: Sequence[IPv4Network | IPv6Network]
) -> Iterator[Finding]:
    for other in own:
        if network.version == other.version and network.overlaps(other):
            yield Finding(
                "network-overlap",
                "network" if isinstance(network, IPv4Network) else "ipv6_network",
                f"the address range for devices {network} overlaps your network {other}",
                "Devices cannot reach that network: use another range, such as 169.254.0.0/16.",
                fatal=False,
            )


def _sentence(advice: str) -> str:
    return advice[:1].upper() + advice[1:]
