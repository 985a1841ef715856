"""The lines in the logs of agent and monitor, each declared once (docs/reference/logs.md)."""

from mstunnel_setup.base.log_line import Priority, declare_line

CHECKED_IN = declare_line("checked-in", "the tenant knows this server")
CONFIGURATION_APPLIED = declare_line("configuration-applied", "the gateway serves it")
CONFIGURATION_HANDED_OVER = declare_line("configuration-handed-over", "the host judges and serves it")
CONFIGURATION_REFUSED = declare_line("configuration-refused", "{reason}", "{advice}", Priority.ERROR)
CONFIGURATION_WAITS = declare_line("configuration-waits", "{reason}")
HEALTH_CHANGED = declare_line(
    "health-changed", "this server is {state}{why}", "`mst-cli health` shows all rows."
)
IDENTITY_NOT_RENEWED = declare_line(
    "identity-not-renewed", "{reason}; it is tried again every hour", priority=Priority.WARNING
)
IDENTITY_RENEWED = declare_line("identity-renewed", "the agent has a new credential; the old one expires")
PROBE_URL_INVALID = declare_line(
    "probe-url-invalid",
    "the site's URL for internal network access check cannot be used: {reason}",
    "Correct it in the admin center.",
    Priority.WARNING,
)
RECOVERED = declare_line("recovered", "everything works again")
REQUEST = declare_line("request", "{request}", priority=Priority.INFO)
THRESHOLDS_NOT_LEARNT = declare_line(
    "thresholds-not-learnt", "{reason}; the limits known so far stay", priority=Priority.WARNING
)
UPGRADE_REQUESTED = declare_line("upgrade-requested", "{reason}")
UPGRADE_WAITS = declare_line("upgrade-waits", "{reason} ({decision})")


ADDRESSES = declare_line("addresses", "those of this host have changed, and the gateway refuses the new ones")
CERTIFICATE = declare_line("certificate", "{name} is taken into use; its time has passed")
CONFIGURATION_ACCEPTED = declare_line("configuration-accepted", "the gateway serves it")
CONFIGURATION_WRITTEN = declare_line("configuration-written", "{paths}")
LOG_LEVEL_CHANGED = declare_line("log-level-changed", "the gateway logs at level {level}")
LOG_LIMITED = declare_line("log-limited", "{count} lines were left out", priority=Priority.WARNING)
MODULES = declare_line("modules", "{modules} was missing, and is loaded", priority=Priority.WARNING)
PORT = declare_line("port", "the gateway moves to {port}, as the tenant wants; sessions end")
PROGRAM_REPLACED = declare_line(
    "program-replaced", "the monitor starts again with the program that replaced version {version}"
)
RESTART = declare_line(
    "restart",
    "{container} is {condition}",
    "If it happens again, find the cause with `journalctl CONTAINER_NAME={container}`.",
    Priority.WARNING,
)
TUNNEL = declare_line(
    "tunnel", "{container} cannot open {device} and is restarted: {reason}", priority=Priority.WARNING
)
UPGRADE_BEGUN = declare_line("upgrade-begun", "to release {release}, as the agent asks")
UPGRADE_DONE = declare_line("upgrade-done", "release {release} serves{away}")
UPGRADE_ENDED = declare_line(
    "upgrade-ended",
    "{outcome} from {release}: {reason}",
    "`mst-cli upgrade history` shows it; fix the cause, then run `mst-cli upgrade apply`.",
    Priority.ERROR,
)
