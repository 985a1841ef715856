"""Errors of `system`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import StepError, declare

INIT_SCRIPT_REFUSED = declare(
    StepError,
    "init-script-refused",
    "the init of this host does not take {name}: {reason}",
    "Run `{command}` to see why.",
)
LINGER_FAILED = declare(
    StepError,
    "linger-failed",
    "the service manager of {name} does not start",
    "Look at `journalctl --unit systemd-logind --unit 'user@*'`.",
)
MODULE_UNAVAILABLE = declare(
    StepError,
    "module-unavailable",
    "the kernel module {name} cannot be loaded: {reason}",
    "Install the kernel's modules package and start the host again, or load it on the machine "
    "below when this is a container.",
)
SELINUX_REFUSED = declare(
    StepError,
    "selinux-refused",
    "the SELinux type of port {port} cannot be changed",
    "Run `{value}` to see why.",
)
SELINUX_UNREADABLE = declare(
    StepError,
    "selinux-unreadable",
    "the SELinux port types cannot be read: {why}",
    "Run `semanage port -l -C`; semanage comes with policycoreutils-python-utils.",
)
SYSCTL_REFUSED = declare(
    StepError,
    "sysctl-refused",
    "{name} cannot be set to {value}: {reason}",
    "Set it on the machine below when this is a container, then run again.",
)
