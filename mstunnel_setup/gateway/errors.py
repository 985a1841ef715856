"""Errors of `gateway`, each declared once (docs/reference/errors.md)."""

from dataclasses import dataclass

from mstunnel_setup.errors import EngineError, StepError, TenantError, UsageError, declare


class EnvironmentFileError(StepError):
    """`env.sh` contains a line that is not an assignment, or a value cannot be written to it."""


class PropertyError(TenantError):
    """An invalid property of a server configuration: which, why, and how to fix it."""

    field = ""
    reason = ""
    advice = ""


ARGUMENT_INVALID = declare(
    UsageError, "argument-invalid", "{name} is not valid: {value!r}", "Use {expected}."
)
ARGUMENT_MISSING = declare(
    UsageError, "argument-missing", "{name} needs {argument}", "Use `{name} {argument}`."
)
ARGUMENT_UNEXPECTED = declare(UsageError, "argument-unexpected", "{name} takes no argument", "Use `{name}`.")
AUTHENTICATION_UNSUPPORTED = declare(
    UsageError,
    "authentication-unsupported",
    "unsupported authentication method {value}",
    "Use one of: {supported}.",
)
CONFIGURATION_INVALID = declare(
    PropertyError,
    "configuration-invalid",
    "the server configuration has {field} = {value}: {reason}",
    "{place}: {advice}",
)
CONFIGURATION_TOO_LARGE = declare(
    TenantError,
    "configuration-too-large",
    "the server configuration has {size} bytes; the maximum is {limit}",
    "Remove rules, domains or advanced settings from it.",
)
ENVIRONMENT_LINE_INVALID = declare(
    EnvironmentFileError,
    "environment-line-invalid",
    "{path}, line {number} is not a plain NAME=value: {line}",
    "Write NAME=value, with '…' around values with spaces; commands and $variables are not expanded.",
)
ENVIRONMENT_NOT_UTF8 = declare(
    EnvironmentFileError,
    "environment-not-utf8",
    "{path}, line {line} is not UTF-8 text",
    "Save the file as UTF-8.",
)
ENVIRONMENT_VALUE_INVALID = declare(
    EnvironmentFileError,
    "environment-value-invalid",
    "the value of {name} contains {problem}",
    "Use one line of UTF-8 text without control characters, and at most one of the characters ' and !.",
)
OCCTL_ANSWER_INVALID = declare(
    EngineError,
    "occtl-answer-invalid",
    "unexpected answer of occtl: {answer}",
    "Check `mst-cli server status` and `mst-cli server logs`.",
)
SETTINGS_UNREADABLE = declare(
    StepError,
    "settings-unreadable",
    "{path} is missing or damaged: {reason}",
    "Run mstunnel-setup; it writes the file again.",
)


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
    "Remove it, or use one of: {supported}.",
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
IPV6_DNS_SERVER_UNREACHABLE = declare(
    ConfigurationWarning,
    "dns-server-without-ipv6",
    "devices do not reach the DNS server {server}: the server configuration gives them no IPv6 network",
    "Give them one (`mst-admin config update NAME --ipv6-network CIDR`), or use the IPv4 address of the DNS "
    "server.",
)
IPV6_RULE_UNREACHABLE = declare(
    ConfigurationWarning,
    "rule-without-ipv6",
    "the gateway refuses what devices send to {rule}: the server configuration gives them no IPv6 network",
    "Give them one (`mst-admin config update NAME --ipv6-network CIDR`), or remove the rule.",
)
LISTEN_PORT_CHANGED = declare(
    ConfigurationWarning,
    "listen-port-changed",
    "the site is configured for port {wanted}, but the container still publishes port {published}",
    "Wait a minute: the monitor of the host re-creates the container. This ends the sessions.",
)
NETWORK_IN_RULE = declare(
    ConfigurationWarning,
    "network-in-rule",
    "the address range for devices {network} overlaps the split tunnelling rule {rule}",
    "Devices do not reach that part of {rule}: use another range, such as 169.254.0.0/16.",
)
RADIUS_SECRET_INVALID = declare(
    UsageError,
    "radius-secret-invalid",
    "the secret in {reference} is not a valid RADIUS shared secret",
    "Set another one here and on the server: 1 to 60 printable ASCII characters, without spaces.",
)
RULES_OF_ONE_FAMILY = declare(
    ConfigurationWarning,
    "rules-of-one-family",
    "no split tunnelling rule includes {family}: some devices then send all of it into the tunnel",
    "Include a range of {family}, or no range at all for a full tunnel.",
)
