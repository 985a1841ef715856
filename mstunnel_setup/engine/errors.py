"""Errors of `engine`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import LockedError, StepError, WaitingError, declare


class JournalError(StepError):
    """The journal cannot be used."""


CHANGED_BY_OTHERS = declare(
    WaitingError,
    "changed-by-others",
    "{changed} since the installation wrote it",
    "See the difference with `mstunnel-setup plan`. Move the file away, or run the command at a terminal and "
    "confirm that it is replaced.",
)
JOURNAL_DAMAGED = declare(
    JournalError,
    "journal-damaged",
    "{path} is damaged at line {number}: {problem}",
    "Restore it from a backup: without it the installation cannot be continued or removed safely.",
)
JOURNAL_NEWER = declare(
    JournalError,
    "journal-newer",
    "the journal was written by a newer version of mstunnel-setup: {reason}",
    "Use the version of mstunnel-setup that wrote it, or a later one.",
)
LOCKED = declare(
    LockedError,
    "locked",
    "another run is in progress{holder}",
    "Wait until it ends, or stop that process, then run the command again.",
)
SOURCE_CHANGED = declare(
    StepError,
    "source-changed",
    "{path} has changed since it was checked",
    "Run the command again to check the new file.",
)
