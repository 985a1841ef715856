"""Restoration of a damaged journal from its copy, after a person or `--yes` confirmed it."""

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.install.installed import (
    journal_of,
    own_scope,
    require_installed,
    rootless_account,
    run_lock,
)
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.journal import Journal

_QUESTION = text("Restore the journal")


class JournalRepair(Report):
    """The journals that were restored, by path."""

    restored: tuple[str, ...]


def open_journal(scope: Scope, operator: Operator, *, despite_damage: bool, locked: bool) -> Journal:
    """Return the journal of a run. A person may restore a damaged one, if the caller holds the lock.

    With `despite_damage` a warning is shown and the intact records are used instead. Raises JournalError.
    """
    journal = journal_of(scope, operator, despite_damage=True)
    if journal.damage is None:
        return journal
    if despite_damage:
        operator.console.say("{problem}. {hint}", problem=journal.damage.message, hint=journal.damage.hint)
        return journal
    if not (locked and operator.console.interactive):
        raise journal.damage
    _show(operator, journal, journal.damage)
    if not operator.console.confirm(_QUESTION):
        raise journal.damage
    journal.restore()
    return journal


def repair(operator: Operator, *, yes: bool) -> Result[JournalRepair]:
    """Restore the damaged journals of this host: root's, and the one of a rootless gateway's account.

    Raises JournalError `journal-incomplete` if lines are missing, and UsageError without confirmation.
    """
    # Root restores the host part's journal first; then the account restores its journal.
    scopes = [Scope.HOST] if operator.files.live and rootless_account(operator) else []
    restored = [path for scope in scopes if (path := _restored(operator, scope, yes=yes))]
    scope = own_scope(operator)
    restored += filter(None, [_restored(operator, scope, yes=yes)])
    report = JournalRepair(restored=tuple(restored))
    if not restored:
        return Result("unchanged", report, text=[text("The journal is not damaged.")])
    return Result("changed", report, text=[text("Restored: {path}.", path=path) for path in restored])


def _restored(operator: Operator, scope: Scope, *, yes: bool) -> str:
    """Restore the journal of one part and return its path; empty if it is not damaged."""
    with run_lock(operator):
        journal = journal_of(scope, operator, despite_damage=True)
        require_installed(journal)
        if journal.damage is None:
            return ""
        _show(operator, journal, journal.damage)
        if not (yes or (operator.console.interactive and operator.console.confirm(_QUESTION))):
            raise UsageError(
                "repair-declined",
                "nothing was changed",
                hint="Run the command again and answer yes, or add --yes.",
            )
        journal.restore()
    return journal.path


def _show(operator: Operator, journal: Journal, damage: JournalError) -> None:
    """Show what a restoration recovers. Raises JournalError `journal-incomplete` if lines are missing."""
    remains = journal.remains()
    if not remains.whole:
        missing = ", ".join(map(str, remains.missing[:10]))
        raise JournalError(
            "journal-incomplete",
            "{path} cannot be restored: {reason}",
            hint=(
                "The gateway keeps running. `mst-cli help recovery` describes how to install anew on this"
                " server."
            ),
            path=journal.path,
            reason=(
                text("its copy does not have line {missing} either", missing=missing)
                if missing
                else text("{copy} does not fit it", copy=journal.copy_path)
            ),
        )
    last = remains.records[-1]
    operator.console.say("{problem}.", problem=damage.message)
    operator.console.say(
        "Its copy has what is missing. Restored, it has {count} lines, the last one of {when}, and lists "
        "{objects} objects of this installation.",
        count=len(remains.records),
        when=last["time"],
        objects=len(remains.receipt.entries),
    )
