"""The lines of the monitor's log, each declared once (docs/reference/logs.md)."""

from mstunnel_setup.base.log_line import Priority, declare_line

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
