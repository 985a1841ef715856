"""The lines of the agent's log, each declared once (docs/reference/logs.md)."""

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
