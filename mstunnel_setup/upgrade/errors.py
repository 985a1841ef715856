"""Errors of `upgrade`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import StepError, declare

UPGRADES_UNREADABLE = declare(
    StepError,
    "upgrades-unreadable",
    "{history} cannot be read: it is damaged, or a newer version wrote it",
    "Use the version that wrote it, or move the file away; only the history is lost then.",
)
UPGRADE_REQUEST_INVALID = declare(
    StepError,
    "upgrade-request-invalid",
    "{request} is no request for an upgrade",
    "Remove it; ask for an upgrade with `mst-cli upgrade apply`.",
)
