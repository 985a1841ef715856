"""Errors of `answers`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CheckError, UsageError, declare

ANSWERS_FORBIDDEN = declare(
    CheckError,
    "answers-forbidden",
    "this account cannot read the answer file {path}",
    "Run the command with sudo, or, for a rootless gateway, give the account its own answer file.",
)
ANSWERS_INVALID = declare(
    UsageError,
    "answers-invalid",
    "{problem}",
    "Correct them. `mstunnel-setup answers new` writes a commented answer file to compare with, `--help` "
    "shows all options.",
)
ANSWERS_MISSING = declare(
    UsageError,
    "answers-missing",
    "required answers are missing:\n{settings}",
    "Add them, or run the command without --unattended to be prompted.",
)
ANSWERS_UNREADABLE = declare(
    UsageError,
    "answers-unreadable",
    "the answer file {path} cannot be read: {reason}",
    "Check the path, or write a new file with `mstunnel-setup answers new`.",
)
CLIENT_TO_CLIENT_INVALID = declare(
    UsageError,
    "client-to-client-invalid",
    "CLIENT_TO_CLIENT cannot be {value}",
    "Write true (devices reach each other) or false.",
)
ENVIRONMENT_INVALID = declare(
    UsageError,
    "environment-invalid",
    "the environment variable {variable} cannot be {value}: {reason}",
    "Set it to {expected}, or unset it.",
)
LOG_FORMAT_INVALID = declare(
    UsageError,
    "log-format-invalid",
    "LOG_FORMAT cannot be {value}",
    "Write text, or json (each line is an object of JSON).",
)
PROXY_INVALID = declare(
    UsageError,
    "proxy-invalid",
    "{variable} is not the address of a proxy",
    "Write it as `http://proxy.example.com:3128`.",
)
SECRET_EXPOSED = declare(
    UsageError,
    "secret-exposed",
    "other users can read or change the file {path} (mode {mode:04o})",
    "Run `chmod 600 {path}`, and replace the secret if others may have read it.",
)
SECRET_INVALID = declare(
    UsageError,
    "secret-invalid",
    "the secret {reference} is not {expected}",
    "Put only the secret, as UTF-8 text, into its own file.",
)
SECRET_MISSING = declare(
    UsageError, "secret-missing", "the secret {reference} cannot be read: {reason}", "Provide it {place}."
)
TRACE_SESSIONS_INVALID = declare(
    UsageError,
    "trace-sessions-invalid",
    "TRACE_SESSIONS cannot be {value}",
    "Write 0 (off), 1 (the access log) or 2 (the access log with DNS connections).",
)
VERBOSE_INVALID = declare(
    UsageError, "verbose-invalid", "{name} cannot be {value}", "Write true (detail in all logs) or false."
)
