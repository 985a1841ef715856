"""Errors of `agent`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import CertificateError, StepError, TenantError, declare

AGENT_FILE_INVALID = declare(
    StepError,
    "agent-file-invalid",
    "{path} cannot be read{where}",
    "Restore it from a backup, or run mstunnel-setup on the host.",
)
AGENT_FILE_MISSING = declare(
    StepError,
    "agent-file-missing",
    "{path} is missing",
    "Register this server: run mstunnel-setup on the host.",
)
SERVER_UNKNOWN = declare(
    TenantError,
    "server-unknown",
    "the site has no record of this server any more",
    "Register it again with `mst-cli reenroll` on the host, or remove it there: `mst-cli uninstall`.",
)
THRESHOLDS_INVALID = declare(
    StepError,
    "thresholds-invalid",
    "{path} cannot be read{where}",
    "Correct it as `mst-cli help health` describes, or remove it.",
)
TRUSTED_ROOT_UNREADABLE = declare(
    CertificateError,
    "trusted-root-unreadable",
    "{path}: {reason}",
    "Replace it with a certificate in PEM or DER, or remove the file.",
)
