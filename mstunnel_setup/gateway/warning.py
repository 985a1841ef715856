"""Warnings about a server configuration that can be served, each declared once."""

from dataclasses import dataclass

from mstunnel_setup.errors import declare


@dataclass(frozen=True)
class ConfigurationWarning:
    """A warning for administrators: kebab-case code, message, what to do."""

    code: str
    message: str
    hint: str


ADVANCED_SETTING_IGNORED = declare(
    ConfigurationWarning,
    "advanced-setting-ignored",
    "the advanced setting {name} of the server configuration has no effect",
    "Supported settings: {supported}.",
)
ADVANCED_SETTING_REPEATED = declare(
    ConfigurationWarning,
    "advanced-setting-repeated",
    "the server configuration has the advanced setting {name} more than once; the last value is used",
    "Remove the others with Microsoft Graph.",
)
DNS_SERVER_OUTSIDE_TUNNEL = declare(
    ConfigurationWarning,
    "dns-server-outside-tunnel",
    "the split tunnelling rules exclude the DNS server {server} from the tunnel",
    "Include the DNS servers of your network in “IP ranges to include”.",
)
LISTEN_PORT_CHANGED = declare(
    ConfigurationWarning,
    "listen-port-changed",
    "the site is configured for port {wanted}, but the container still publishes port {published}",
    "The monitor of the host re-creates the container within a minute; this ends the sessions.",
)
