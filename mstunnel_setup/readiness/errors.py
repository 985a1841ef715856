"""Errors of `readiness`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import UsageError, declare

CHECK_UNKNOWN = declare(
    UsageError,
    "check-unknown",
    "there is no check called {name}{suggestion}",
    "List them with `mst-readiness all --verbose`, or explain one with `mst-readiness explain ID`.",
)
