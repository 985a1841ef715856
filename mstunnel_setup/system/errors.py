"""Errors of `system`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import StepError, declare

ACCOUNT_COMMAND_FAILED = declare(
    StepError,
    "account-refused",
    "cannot change the account {name}: {reason}",
    "Run `{command}` to find the cause, then run mstunnel-setup again.",
)
ACCOUNT_MISSING = declare(
    StepError,
    "account-missing",
    "the account {name} does not exist",
    "Run mstunnel-setup again; it creates the account.",
)
FORWARDING_RULES_REFUSED = declare(
    StepError,
    "forwarding-rules-refused",
    "cannot load the rules for what this host forwards: {reason}",
    "Run `{command}` to find the cause, then run mstunnel-setup again.",
)
INIT_SCRIPT_REFUSED = declare(
    StepError,
    "init-script-refused",
    "the init system of this host rejects {name}: {reason}",
    "Run `{command}` to find the cause.",
)
LINGER_FAILED = declare(
    StepError,
    "linger-failed",
    "the service manager of the account {name} does not start",
    "Check `journalctl --unit systemd-logind --unit 'user@*'`.",
)
MODULE_UNAVAILABLE = declare(
    StepError,
    "module-unavailable",
    "cannot load the kernel module {name}: {reason}",
    "Install the modules package of the kernel and reboot; in a container, load the module on the host.",
)
SELINUX_REFUSED = declare(
    StepError,
    "selinux-refused",
    "cannot change the SELinux type of port {port}",
    "Run `{command}` to find the cause.",
)
SELINUX_UNREADABLE = declare(
    StepError,
    "selinux-unreadable",
    "cannot read the SELinux port types: {reason}",
    "Check `semanage port -l -C`; semanage is part of policycoreutils-python-utils.",
)
SYSCTL_REFUSED = declare(
    StepError,
    "sysctl-refused",
    "cannot set {name} to {value}: {reason}",
    "In a container, set it on the host; then run the command again.",
)
