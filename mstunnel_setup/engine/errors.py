"""Errors of `engine`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import StepError, WaitingError, declare

CHANGED_BY_OTHERS = declare(
    WaitingError,
    "changed-by-others",
    "{changed} since the installation wrote it",
    "See the difference with `mstunnel-setup plan`; move the file away, or run at a terminal "
    "and agree that it is replaced.",
)
JOURNAL_NEWER = declare(
    StepError,
    "journal-newer",
    "the journal holds an action this version does not understand: {data}",
    "Use the version of mstunnel-setup that wrote it, or a newer one.",
)
