"""Errors of `gateway`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import EngineError, TenantError, UsageError, declare

ARGUMENT_MISSING = declare(
    UsageError,
    "argument-missing",
    "{name} needs {argument}",
    "Use `{name} {argument}`.",
)
ARGUMENT_UNEXPECTED = declare(
    UsageError,
    "argument-unexpected",
    "{name} takes no argument",
    "Use `{name}`.",
)
AUTHENTICATION_UNSUPPORTED = declare(
    UsageError,
    "authentication-unsupported",
    "devices cannot authenticate by {value}",
    "Choose one of: {cls}.",
)
CONFIGURATION_INVALID = declare(
    TenantError,
    "configuration-invalid",
    "the server configuration is {count} bytes long; at most {largest} are taken",
    "Remove rules, domains or advanced settings from it.",
)
OCCTL_ANSWER_INVALID = declare(
    EngineError,
    "occtl-answer-invalid",
    "the gateway's control program answered something unexpected: {start}",
    "Look at `mst-cli server status` and `mst-cli server logs`.",
)
