"""Errors of `gateway` that several places raise."""

from mstunnel_setup.base.errors import StepError, TenantError, UsageError, declare


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
ENVIRONMENT_VALUE_INVALID = declare(
    EnvironmentFileError,
    "environment-value-invalid",
    "the value of {name} contains {problem}",
    "Use one line of UTF-8 text without control characters, and at most one of the characters ' and !.",
)
SETTINGS_UNREADABLE = declare(
    StepError,
    "settings-unreadable",
    "{path} is missing or damaged: {reason}",
    "Run mstunnel-setup; it writes the file again.",
)
