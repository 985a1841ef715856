"""The log lines of agent and monitor, each declared once (docs/reference/logs.md)."""

from mstunnel_setup.base.log_line import Priority, declare_line

CHECKED_IN = declare_line("checked-in", "the tenant accepted the first check-in")
CONFIGURATION_APPLIED = declare_line("configuration-applied", "the gateway uses the new configuration")
CONFIGURATION_HANDED_OVER = declare_line(
    "configuration-handed-over", "passed the server configuration to the host, which checks and applies it"
)
CONFIGURATION_REFUSED = declare_line("configuration-refused", "{reason}", "{advice}", Priority.ERROR)
CONFIGURATION_WAITS = declare_line("configuration-waits", "{reason}")
HEALTH_CHANGED = declare_line(
    "health-changed", "this server is {state}{why}", "`mst-cli health` shows all rows."
)
IDENTITY_NOT_RENEWED = declare_line(
    "identity-not-renewed", "{reason}; retrying every hour", priority=Priority.WARNING
)
IDENTITY_RENEWED = declare_line(
    "identity-renewed", "the agent has a new credential; the old one stays valid until it expires"
)
PROBE_URL_INVALID = declare_line(
    "probe-url-invalid",
    "the site's URL for internal network access check cannot be used: {reason}",
    "Correct it in the admin center.",
    Priority.WARNING,
)
RECOVERED = declare_line("recovered", "everything works again")
REQUEST = declare_line("request", "{request}", priority=Priority.INFO)
THRESHOLDS_NOT_LEARNT = declare_line(
    "thresholds-not-learnt", "{reason}; keeping the previous limits", priority=Priority.WARNING
)
UPGRADE_REQUESTED = declare_line("upgrade-requested", "{reason}")
UPGRADE_WAITS = declare_line("upgrade-waits", "{reason} ({decision})")


ADDRESSES = declare_line(
    "addresses", "the addresses of this host have changed; devices are blocked from the new ones, too"
)
CERTIFICATE = declare_line("certificate", "activating the scheduled certificate {name}")
CONFIGURATION_ACCEPTED = declare_line("configuration-accepted", "the gateway uses the new configuration")
CONFIGURATION_WRITTEN = declare_line("configuration-written", "wrote {paths}")
LOG_LEVEL_CHANGED = declare_line("log-level-changed", "the gateway logs at level {level}")
LOG_LIMITED = declare_line("log-limited", "{count} lines were dropped", priority=Priority.WARNING)
MODULES = declare_line("modules", "{modules} was not loaded; loaded it again", priority=Priority.WARNING)
PORT = declare_line("port", "moving the gateway to {port}, as configured in the tenant; sessions end")
PROGRAM_REPLACED = declare_line(
    "program-replaced", "version {version} was replaced; the monitor restarts as the new program"
)
RESTART = declare_line(
    "restart",
    "{container} is {condition}",
    "If it happens again, find the cause with `journalctl CONTAINER_NAME={container}`.",
    Priority.WARNING,
)
TUNNEL = declare_line(
    "tunnel", "restarting {container}, which cannot open {device}: {reason}", priority=Priority.WARNING
)
UPGRADE_BEGUN = declare_line("upgrade-begun", "upgrading to release {release}, requested by the agent")
UPGRADE_DONE = declare_line("upgrade-done", "release {release} is in use{away}")
UPGRADE_ENDED = declare_line(
    "upgrade-ended",
    "{outcome} from {release}: {reason}",
    "`mst-cli upgrade history` shows it; fix the cause, then run `mst-cli upgrade apply`.",
    Priority.ERROR,
)
