"""Errors of `readiness`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, UsageError, declare

CERTIFICATE_FILE_MISSING = declare(
    CertificateError,
    "certificate-file-missing",
    "there is no file {path}",
    "Correct the path.",
)
CHECK_UNKNOWN = declare(
    UsageError,
    "check-unknown",
    "there is no check called {name}{suggestion}",
    "Run `mst-readiness all --verbose` to see all checks.",
)
