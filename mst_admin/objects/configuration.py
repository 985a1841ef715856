"""Server configurations: their declared form, their Graph form and their rules.

The gateway's own model validates every field, so a configuration accepted here is accepted by servers.
Source: docs/reference/mst-admin.md.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any, Final

from pydantic import Field, StrictBool, StrictInt, ValidationError

from mst_admin.change import Body, Wire
from mst_admin.objects.parts import DEFAULT_SCOPE_TAGS, Prose, Trimmed, fields_from, properties
from mstunnel_setup.answers.finding import Finding, declare_finding, finding
from mstunnel_setup.answers.values import Line
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import quoted, text
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.configuration import EVERYTHING, Refusal, ServerConfiguration, refusals
from mstunnel_setup.gateway.fields import PropertyError
from mstunnel_setup.tenant.wire import TunnelConfiguration, wire_name


class ConfigurationObject(Trimmed):
    """A server configuration: settings that the servers of all its sites share."""

    name: Line = Field(description="Name", examples=["Main"])
    description: Prose = Field(default="", description="Description")
    network: str = Field(
        description="IP address range: IPv4 network that devices get their addresses from (CIDR)",
        examples=["169.254.0.0/16"],
    )
    ipv6_network: str = Field(default="", description="IPv6 network for devices (CIDR)")
    dns_servers: tuple[str, ...] = Field(default=(), description="DNS servers, by address")
    default_domain_suffix: str = Field(default="", description="DNS suffix search: one domain")
    split_dns: tuple[str, ...] = Field(default=(), description="Domains to look up with the DNS servers only")
    route_includes: tuple[str, ...] = Field(
        default=(), description="IP ranges to include (CIDR); none: all traffic goes through the tunnel"
    )
    route_excludes: tuple[str, ...] = Field(default=(), description="IP ranges to exclude (CIDR)")
    listen_port: StrictInt = Field(default=443, description="Server port, TCP and UDP")
    disable_udp_connections: StrictBool = Field(default=False, description="Disable UDP connections (DTLS)")
    session_timeout: StrictInt | None = Field(
        default=None, description="Seconds until a session ends; 3600 when it is not set"
    )
    advanced_settings: dict[str, str] = Field(
        default_factory=dict, description="Further settings by their ocserv names"
    )
    role_scope_tag_ids: tuple[str, ...] = Field(default=DEFAULT_SCOPE_TAGS, description="Ids of scope tags")


INVALID: Final = {
    key: declare_finding(key, code, "{key} is {value}: {reason}", "{advice}")
    for key, code in (
        ("network", "network-invalid"),
        ("ipv6_network", "ipv6-network-invalid"),
        ("dns_servers", "dns-server-invalid"),
        ("default_domain_suffix", "dns-suffix-invalid"),
        ("split_dns", "split-dns-invalid"),
        ("route_includes", "route-invalid"),
        ("route_excludes", "route-invalid"),
        ("listen_port", "port-invalid"),
        ("advanced_settings", "advanced-setting-invalid"),
        ("corporate_networks", "corporate-network-invalid"),
    )
}
"""The finding about a value that the gateway rejects, by declaration key."""


SESSION_TIMEOUT: Final = "session-timeout"
DEFAULT_SESSION_SECONDS: Final = 3600
_SETTINGS: Final = "advancedSettings"
_NAMES: Final = {"name": "displayName"} | {
    name: wire_name(name)
    for name in ConfigurationObject.model_fields
    if name not in {"name", "session_timeout", "advanced_settings"}
}
"""Graph properties by declaration key."""
_KEYS_OF_PROPERTIES: Final = {_SETTINGS: "advanced_settings"} | {name: key for key, name in _NAMES.items()}


def configuration_body(declared: ConfigurationObject) -> Body:
    """Return the body of a server configuration; host bits of networks are cleared."""
    settings = dict(declared.advanced_settings)
    if declared.session_timeout is not None:
        settings[SESSION_TIMEOUT] = str(declared.session_timeout)
    return {
        **properties(declared, _NAMES),
        "network": _network(declared.network),
        "ipv6Network": _network(declared.ipv6_network) or None,
        "routeIncludes": [_network(text) for text in declared.route_includes],
        "routeExcludes": [_network(text) for text in declared.route_excludes],
        _SETTINGS: [{"name": name, "value": value} for name, value in settings.items()],
    }


def configuration_object(found: TunnelConfiguration) -> ConfigurationObject:
    """Return a server configuration of the tenant in declaration form, without validation."""
    settings = {item.name: item.value for item in found.advanced_settings}
    seconds = whole_number(settings.get(SESSION_TIMEOUT, ""), len(str(_LONGEST_SESSION)))
    if seconds is not None:
        del settings[SESSION_TIMEOUT]
    values = fields_from(found.document(), ConfigurationObject, _NAMES)
    values |= {"route_includes": found.includes, "route_excludes": found.excludes}
    values |= {"session_timeout": seconds, "advanced_settings": settings}
    return ConfigurationObject.model_construct(**values)


def changed(before: Wire, after: Wire) -> Body:
    """Return the properties of `after` that differ from `before`."""
    return {
        name: value
        for name, value in after.items()
        if _canonical(name, value) != _canonical(name, before.get(name))
    }


def _canonical(name: str, value: Any) -> Any:
    """Return a value normalised for comparison: settings are unordered, one hour is the default timeout."""
    if name != _SETTINGS:
        return value
    settings = {item["name"]: item["value"] for item in value or ()}
    if settings.get(SESSION_TIMEOUT) == str(DEFAULT_SESSION_SECONDS):
        del settings[SESSION_TIMEOUT]
    return settings


def _network(text: str) -> str:
    """Clear the host bits of a network; an invalid one is returned unchanged for the rules to report."""
    try:
        return str(ip_network(text, strict=False)) if "/" in text else text
    except ValueError:
        return text


_APIPA: Final = IPv4Network("169.254.0.0/16")
_LONGEST_SESSION: Final = 2**31 - 1
_MOST_RULES: Final = 500
_SETTING_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_KEYS: Final = {
    "advanced": "advanced_settings",
    "dns": "dns_servers",
    "network": "network",
    "rule": "route_includes",
    "rules": "route_includes",
}
"""The declaration key that a warning of the gateway is about, by the first word of its code."""


def judge_configuration(
    declared: ConfigurationObject, corporate_networks: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Return all findings about a server configuration; warnings only if there are no errors."""
    settings = {name: value for name, value in declared.advanced_settings.items() if _is_setting(name, value)}
    judged = declared.model_copy(update={"advanced_settings": settings, "session_timeout": None})
    fatal = [*_malformed(declared), *_session_timeout(declared), *_limits(declared)]
    try:
        served = ServerConfiguration.model_validate(configuration_body(judged))
    except ValidationError as error:
        # A refusal without path is about the total number of rules, which _limits reports.
        return (*(_refused(item, judged) for item in refusals(error) if item.path), *fatal)
    if fatal:
        return tuple(fatal)
    # The gateway's warnings are about settings without effect, unreachable servers and rules for one family.
    of_gateway = (
        Finding(item.code, item.message, item.hint, key=_KEYS[item.code.partition("-")[0]])
        for item in served.warnings
    )
    return (*of_gateway, *_advice(declared, corporate_networks))


def judge_networks(networks: Sequence[str]) -> Iterator[Finding]:
    """Return findings about invalid corporate networks."""
    for network in networks:
        try:
            fields.network(network)
        except PropertyError as error:
            yield _invalid("corporate_networks", network, error.reason, error.advice)


def _refused(refusal: Refusal, declared: ConfigurationObject) -> Finding:
    """Return the finding for a value that the gateway rejects."""
    key, place = _KEYS_OF_PROPERTIES[str(refusal.path[0])], refusal.path[1:]
    if key == "route_includes" and refusal.value == EVERYTHING:
        reason = text("it includes all traffic, so there must be no other rules")
        return _invalid(key, EVERYTHING, reason, text("Remove it or the others."))
    name = (
        f".{list(declared.advanced_settings)[int(place[0])]}" if key == "advanced_settings" and place else ""
    )
    return _invalid(key, refusal.value, refusal.reason, refusal.advice, name)


def _invalid(key: str, value: object, reason: str, advice: str, name: str = "") -> Finding:
    if not name and _is_mask(str(value)):
        reason = text("it is a mask, not a network")
    return INVALID[key](key=f"{key}{name}", value=quoted(value), reason=reason, advice=_sentence(advice))


def _is_mask(text: str) -> bool:
    """Return whether this is an IPv4 netmask, which some documentation shows as an example of a rule."""
    try:
        return "." in text and "/" not in text and IPv4Network(f"0.0.0.0/{text}").prefixlen > 0
    except ValueError:
        return False


def _is_setting(name: str, value: str) -> bool:
    return bool(_SETTING_NAME.fullmatch(name) and value)


def _malformed(declared: ConfigurationObject) -> Iterator[Finding]:
    for name, value in declared.advanced_settings.items():
        if not _is_setting(name, value):
            yield finding(
                "advanced_settings",
                "advanced-setting-malformed",
                "advanced_settings has {name} = {value}: this is not a valid setting",
                hint="Write the ocserv name of a setting, such as idle-timeout, with a value.",
                name=quoted(name),
                value=quoted(value),
            )


def _session_timeout(declared: ConfigurationObject) -> Iterator[Finding]:
    if declared.session_timeout is None:
        return
    if SESSION_TIMEOUT in declared.advanced_settings:
        yield finding(
            "session_timeout",
            "session-timeout-twice",
            "session_timeout is also given as advanced setting {name}",
            hint="Remove one of them.",
            name=SESSION_TIMEOUT,
        )
    if not 0 < declared.session_timeout < _LONGEST_SESSION:
        yield finding(
            "session_timeout",
            "session-timeout-invalid",
            "session_timeout is {value}: out of range",
            hint="Write a whole number of seconds from 1; 3600 is the default.",
            value=quoted(declared.session_timeout),
        )


def _limits(declared: ConfigurationObject) -> Iterator[Finding]:
    if len(declared.default_domain_suffix.replace(",", " ").split()) > 1:
        suffix = declared.default_domain_suffix
        reason = text("it is more than one domain")
        yield _invalid("default_domain_suffix", suffix, reason, text("Write one domain."))
    count = len(declared.route_includes) + len(declared.route_excludes)
    if count > _MOST_RULES:
        key = "route_includes" if declared.route_includes else "route_excludes"
        yield finding(
            key,
            "routes-too-many",
            "there are {count} split tunnelling rules: more than {most} are not allowed in total",
            hint="Merge neighbouring ranges.",
            count=count,
            most=_MOST_RULES,
        )


def _advice(declared: ConfigurationObject, corporate_networks: Sequence[str]) -> Iterator[Finding]:
    yield from _host_bits(declared)
    devices = [ip_network(text, strict=False) for text in (declared.network, declared.ipv6_network) if text]
    own = [ip_network(text, strict=False) for text in corporate_networks]
    for network in devices:
        for other in own:
            if network.version == other.version and network.overlaps(other):
                key = "network" if isinstance(network, IPv4Network) else "ipv6_network"
                yield finding(
                    key,
                    "network-overlap",
                    "the address range for devices {network} overlaps your network {other}",
                    hint=("Devices cannot reach that network: use another range, such as 169.254.0.0/16."),
                    fatal=False,
                    network=network,
                    other=other,
                )
    if not own and not (isinstance(devices[0], IPv4Network) and devices[0].subnet_of(_APIPA)):
        yield finding(
            "network",
            "network-not-apipa",
            "network is {network}: not checked against your networks",
            hint=("List your networks in `corporate_networks`, or use {safe}, which cannot overlap them."),
            fatal=False,
            network=quoted(declared.network),
            safe=_APIPA,
        )
    if declared.disable_udp_connections:
        yield finding(
            "disable_udp_connections",
            "udp-off",
            "without UDP, only devices with Microsoft Defender for Endpoint can connect",
            hint="Move all devices to Microsoft Defender for Endpoint first.",
            fatal=False,
        )


def _host_bits(declared: ConfigurationObject) -> Iterator[Finding]:
    for key in ("network", "ipv6_network", "route_includes", "route_excludes"):
        given = getattr(declared, key)
        for written in (given,) if isinstance(given, str) else given:
            network = ip_network(written, strict=False) if "/" in written else None
            if network is not None and not written.startswith(f"{network.network_address}/"):
                yield finding(
                    key,
                    "host-bits-cut",
                    "{key} has {value}, which is an address in {network}",
                    hint="Write {network}; this network is sent.",
                    fatal=False,
                    key=key,
                    value=quoted(written),
                    network=network,
                )


def _sentence(advice: str) -> str:
    return advice[:1].upper() + advice[1:]
