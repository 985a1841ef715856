"""Errors of `readiness`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import UsageError, declare

CHECK_UNKNOWN = declare(
    UsageError,
    "check-unknown",
    "there is no check called {name}{suggestion}",
    "Run `mst-readiness all --verbose` to see all checks.",
)
