"""Errors of `operations.upgrade` that several places raise."""

from mstunnel_setup.base.errors import EngineError, UsageError, declare

NO_RELEASES = declare(
    UsageError,
    "no-releases",
    "no release is offered to this server",
    "List releases in {catalogue}, then run the command again.",
)
UPGRADE_FAILED = declare(
    EngineError,
    "upgrade-failed",
    "the upgrade to {release} failed: {reason}; {kept}",
    "Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
)
