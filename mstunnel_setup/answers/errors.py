"""Errors of `answers`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import UsageError, declare

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
PROXY_INVALID = declare(
    UsageError,
    "proxy-invalid",
    "{name} is not the address of a proxy",
    "Write it as `http://proxy.example.com:3128`.",
)
SECRET_EXPOSED = declare(
    UsageError,
    "secret-exposed",
    "the file {path} can be read or changed by others (mode {mode:04o})",
    "Run `chmod 600 {path}`, and change the secret if others may have read it.",
)
TRACE_SESSIONS_INVALID = declare(
    UsageError,
    "trace-sessions-invalid",
    "TRACE_SESSIONS cannot be {value}",
    "Write 0 (off), 1 (the access log) or 2 (the access log with DNS connections).",
)
