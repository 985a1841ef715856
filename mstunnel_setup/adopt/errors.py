"""Errors and warnings of `mstunnel-setup adopt` that several places raise."""

from mstunnel_setup.base.errors import UsageError, declare

# The switch and its end.

NOTHING_ADOPTED = declare(
    UsageError,
    "nothing-adopted",
    "there is no adoption to {verb} here",
    "See `mstunnel-setup status`.",
)
