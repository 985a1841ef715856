"""Errors of the journal that several places raise."""

from mstunnel_setup.base.errors import StepError, declare


class JournalError(StepError):
    """The journal cannot be used."""


JOURNAL_NEWER = declare(
    JournalError,
    "journal-newer",
    "the journal was written by a newer version of mstunnel-setup: {reason}",
    "Use the version of mstunnel-setup that wrote it, or a later one.",
)
