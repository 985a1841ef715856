"""Errors of `upgrade`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import StepError, UsageError, declare

RELEASES_INVALID = declare(
    UsageError,
    "releases-invalid",
    "{path}: {reason}",
    'Write one table `[[release]]` per release, with label = "20260407.1", published = 2026-05-01, '
    'server = "sha256:…" and agent = "sha256:…".',
)
UPGRADES_UNREADABLE = declare(
    StepError,
    "upgrades-unreadable",
    "cannot read {path}: it is damaged, or was written by a newer version",
    "Use the version that wrote it, or move the file away, which loses only the history.",
)
UPGRADE_REQUEST_INVALID = declare(
    StepError,
    "upgrade-request-invalid",
    "{path} is not a valid upgrade request",
    "Remove it, and request an upgrade with `mst-cli upgrade apply`.",
)
