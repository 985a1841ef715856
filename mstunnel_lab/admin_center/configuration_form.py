"""The form of a server configuration, between what is typed and what mst-admin declares and judges."""

from typing import Final

from mst_admin.objects.configuration import ConfigurationObject
from mstunnel_lab.admin_center.forms import Field, Group, Values, lines, number
from mstunnel_setup.tenant.wire import TunnelConfiguration

_SESSION_TIMEOUT: Final = "session-timeout"

GROUPS: Final = (
    Group(
        "Basics",
        (
            Field("name", "Name", hint="Name of the server configuration.", required=True),
            Field("description", "Description (optional)", hint="What the server configuration is for."),
        ),
    ),
    Group(
        "Settings",
        (
            Field(
                "network",
                "IP address range",
                required=True,
                hint="IPv4 network for devices, such as 169.254.0.0/16. It must not overlap your networks.",
            ),
            Field("ipv6_network", "IPv6 address range (optional)", hint="Such as fd00:1::/64."),
            Field("listen_port", "Server port", "number", hint="TCP and UDP.", required=True),
            Field("dns_servers", "DNS servers", "lines", hint="One address per line."),
            Field("default_domain_suffix", "DNS suffix search (optional)", hint="One domain."),
            Field(
                "split_dns", "Domains for these DNS servers only (optional)", "lines", hint="One per line."
            ),
            Field(
                "disable_udp_connections",
                "Disable UDP connections",
                "check",
                hint="Clients connect by TCP only. First move all devices to Microsoft Defender.",
            ),
            Field("session_timeout", "Session timeout (optional)", "number", hint="Seconds; 3600 if empty."),
            Field(
                "advanced_settings", "Advanced settings (optional)", "lines", hint="name=value, one per line."
            ),
        ),
    ),
    Group(
        "Split tunneling rules",
        (
            Field(
                "route_includes",
                "IP ranges to include",
                "lines",
                hint="One network per line, such as 10.0.0.0/8.",
            ),
            Field("route_excludes", "IP ranges to exclude", "lines", hint="At most 500 rules in total."),
        ),
    ),
)
NEW: Final[Values] = {
    item.name: {"network": "169.254.0.0/16", "listen_port": "443"}.get(item.name, "")
    for group in GROUPS
    for item in group.fields
}


def declared(values: Values) -> ConfigurationObject:
    """Return what was typed as an object to judge; raises `pydantic.ValidationError`."""
    given: dict[str, object] = dict(values)
    for name in ("dns_servers", "split_dns", "route_includes", "route_excludes"):
        given[name] = lines(values[name])
    given["listen_port"] = number(values["listen_port"], 443)
    given["session_timeout"] = number(values["session_timeout"])
    given["disable_udp_connections"] = bool(values["disable_udp_connections"])
    pairs = (line.partition("=") for line in lines(values["advanced_settings"]))
    given["advanced_settings"] = {name.strip(): value.strip() for name, _, value in pairs}
    return ConfigurationObject.model_validate(given)


def shown(found: TunnelConfiguration) -> Values:
    """Return a configuration as it would be typed."""
    settings = {item.name: item.value for item in found.advanced_settings}
    return {
        "name": found.display_name,
        "description": found.description or "",
        "network": found.network or "",
        "ipv6_network": found.ipv6_network or "",
        "listen_port": str(found.listen_port or ""),
        "dns_servers": "\n".join(found.dns_servers),
        "default_domain_suffix": found.default_domain_suffix or "",
        "split_dns": "\n".join(found.split_dns),
        "disable_udp_connections": "yes" if found.disable_udp_connections else "",
        "session_timeout": settings.pop(_SESSION_TIMEOUT, ""),
        "advanced_settings": "\n".join(f"{name}={value}" for name, value in settings.items()),
        "route_includes": "\n".join(found.includes),
        "route_excludes": "\n".join(found.excludes),
    }
