"""Errors of `operations.upgrade`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import EngineError, NetworkError, StepError, UsageError, declare
from mstunnel_setup.base.result import declare_notice

DEVICES_REFUSED = declare(
    NetworkError,
    "devices-refused",
    "devices that were connected before are refused now, and none is accepted",
    "Search `mst-cli server logs` for `failed authentication`.",
)
DRAIN_FAILED = declare(EngineError, "drain-failed", "the gateway cannot refuse new connections: {reason}")
IMAGES_MISSING = declare(
    UsageError, "images-missing", "the installation has no images yet", "Run mstunnel-setup."
)
INSIDE_UNREACHABLE = declare(
    NetworkError,
    "inside-unreachable",
    "the gateway cannot reach {url} any more: {why}",
    "Test it from this server; see the row internal-network of `mst-cli health`.",
)
NOTHING_TO_ROLL_BACK = declare(
    UsageError,
    "nothing-to-roll-back",
    "there is no upgrade to roll back",
    "See `mst-cli upgrade history`, or name a release: `mst-cli upgrade apply NAME`.",
)
NO_RELEASES = declare(
    UsageError,
    "no-releases",
    "no release is offered to this server",
    "List releases in {catalogue}, then run the command again.",
)
RELEASE_UNKNOWN = declare(
    UsageError, "release-unknown", "there is no release {release}", "Use one that {catalogue} lists: {known}."
)
UPGRADE_CHANGED_FILE = declare(
    StepError,
    "upgrade-changed-file",
    "{changed} since the installation wrote it",
    "Compare it with `mstunnel-setup plan`; to replace it, run mstunnel-setup at a terminal and confirm.",
)
UPGRADE_FAILED = declare(
    EngineError,
    "upgrade-failed",
    "the upgrade to {release} failed: {reason}; {kept}",
    "Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
)
UPGRADE_LIMITED = declare(
    StepError,
    "upgrade-limited",
    "the agent requested too many upgrades; the next one is allowed after {next:%H:%M} UTC",
    "To upgrade now, run `mst-cli upgrade apply`.",
)
UPGRADE_REFUSED = declare(
    StepError, "upgrade-refused", "the agent's request for {image} is refused: {reason}"
)
UPGRADE_REQUEST_OLD = declare(
    StepError,
    "upgrade-request-old",
    "the agent's request for an upgrade is not from the last {minutes} minutes, and is dropped",
    "The agent requests it again when it is this server's turn; to upgrade now, run `mst-cli upgrade apply`.",
)
DEVICES_AWAY = declare_notice(
    "devices-away",
    "no device that was connected before has reconnected yet, so the new release is not proved by a session",
    "Run `mst-cli server show users` later; the devices may be asleep.",
)
MONITOR_DOWN = declare_notice(
    "monitor-down",
    "the monitor is not running, so nothing is restarted or upgraded automatically",
    "Run `systemctl start {unit}`.",
)
RELEASE_OUT_OF_SUPPORT = declare_notice(
    "release-out-of-support",
    "{count} newer releases exist; only the newest and the one before it are supported",
    "Run `mst-cli upgrade apply`.",
)
UPGRADE_UNFINISHED = declare_notice(
    "upgrade-unfinished",
    "the upgrade to {release} is in progress or was interrupted (phase {phase})",
    "The monitor completes it; so does `mst-cli upgrade apply`.",
)
UPGRADE_WAITS = declare_notice("upgrade-waits", "{reason}", "See `mst-cli upgrade check`.")
