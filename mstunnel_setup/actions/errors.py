"""Errors of `actions` that several places raise."""

from mstunnel_setup.base.errors import StepError, declare

SELINUX_UNREADABLE = declare(
    StepError,
    "selinux-unreadable",
    "cannot read the SELinux port types: {reason}",
    "Check `semanage port -l -C`; semanage is part of policycoreutils-python-utils.",
)
