"""The runner, which gathers, decides, journals and applies actions, and undoes them in reverse order."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mstunnel_setup.base.errors import SetupError, WaitingError
from mstunnel_setup.base.result import Event, Listener, Phase
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.transaction.action import Action, Codec, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import Entry, Receipt
from mstunnel_setup.transaction.step import AnyStep

# The function gets a description of a change by others, and returns True if it may be overwritten.
Consent: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True)
class Planned:
    """The actions of one step that are not satisfied yet."""

    step: str
    title: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Removal:
    """An object of the receipt that was undone."""

    key: str
    description: str
    undone: Undone


class Runner:
    """The executor of steps on `host`, which records every action in `journal` before and after it.

    `may_replace` is called before a change by others is overwritten. `waited` returns the seconds spent
    waiting for a person so far, which do not count as the time of a step.
    """

    def __init__(
        self,
        host: object,
        journal: Journal,
        codec: Codec,
        clock: Clock,
        tell: Listener,
        *,
        may_replace: Consent = lambda _changed: False,
        waited: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._host = host
        self._journal = journal
        self._codec = codec
        self._clock = clock
        self._tell = tell
        self._may_replace = may_replace
        self._waited = waited

    @property
    def receipt(self) -> Receipt:
        """The objects on this host that this program created."""
        return self._journal.receipt

    def plan(self, steps: Iterable[AnyStep], run: object) -> list[Planned]:
        """Return the actions that `run` would apply."""
        return [
            Planned(
                step.name,
                step.title,
                tuple(each for each in step.decide(step.gather(run)) if not self._settled(each)),
            )
            for step in steps
        ]

    def run(self, steps: Iterable[AnyStep], run: object) -> list[Planned]:
        """Run the steps in order: skip satisfied actions, undo obsolete objects, return the applied actions.

        Raises SetupError when a step fails; finished actions stay, and the next run continues.
        """
        self._journal.compact()
        done = [self._run_step(step, run) for step in steps]
        # Every command until the next run reads the journal, so superseded records are dropped now.
        self._journal.compact()
        return done

    def acknowledge(self, step: str) -> None:
        """Record interrupted actions of the step as done if their effect is there."""
        receipt = self.receipt
        torn = [entry for entry in receipt.entries.values() if entry.step == step and not entry.finished]
        for entry in torn:
            if self._codec.load(entry.versions[-1]).satisfied(self._host, receipt.outputs):
                self._journal.append("done", key=entry.key, outputs={})

    def changed(self, action: Action) -> str:
        """Return the change by others that `action` would overwrite; empty if there is none."""
        receipt = self.receipt
        known = receipt.entries.get(action.key)
        if known is None:
            return ""
        versions = [*map(self._codec.load, known.versions), action]
        return action.changed(self._host, UndoRecord(known.before, versions, receipt.outputs))

    def undo(
        self,
        keys: Collection[str] | None = None,
        counted: Callable[[int, int], None] = lambda _undone, _total: None,
    ) -> list[Removal]:
        """Undo everything in the receipt, or only `keys`, newest first.

        `counted` gets the number of undone changes and their total; a total of 0 means that the undo was
        abandoned.
        """
        entries = self._newest_first(self.receipt.entries if keys is None else keys)
        removals: list[Removal] = []
        try:
            for entry in entries:
                removals.append(self._undo_entry(entry, "undone"))
                counted(len(removals), len(entries))
        except BaseException:
            counted(len(removals), 0)
            raise
        return removals

    def take_back(self, keys: Collection[str]) -> list[Removal]:
        """Undo single objects, newest first; keep the installation and its finished steps."""
        return [self._undo_entry(entry, "taken-back") for entry in self._newest_first(keys)]

    def leave(self, keys: Mapping[str, str]) -> list[Removal]:
        """Drop single objects from the receipt, newest first, with a reason by key; keep them on the host."""
        return [
            self._record_undone(entry, "undone", Undone(Undo.KEPT, keys[entry.key]))
            for entry in self._newest_first(keys)
        ]

    def release(self, keys: Collection[str], reason: str) -> list[Removal]:
        """Drop objects from the receipt, newest first; keep them, the installation and its steps.

        One record drops all of them, so that no crash leaves some in the receipt.
        """
        entries = self._newest_first(keys)
        self._journal.append("released", keys=[entry.key for entry in entries], reason=reason)
        return [self._told_undone(entry, Undone(Undo.KEPT, reason)) for entry in entries]

    def _newest_first(self, keys: Collection[str]) -> list[Entry]:
        """Return entries before those they depend on: a switched link points to a newer directory."""

        def age(entry: Entry) -> int:
            return entry.last if self._codec.load(entry.versions[-1]).depends_on_newer else entry.first

        found = [entry for entry in self.receipt.entries.values() if entry.key in keys]
        return sorted(found, key=age, reverse=True)

    def _run_step(self, step: AnyStep, run: object) -> Planned:
        self._tell(Event(step.name, "begin", text=step.title))
        started = self._worked()
        try:
            facts = step.gather(run)
            done = tuple(action for action in step.decide(facts) if self._run_action(step.name, action))
            self.acknowledge(step.name)
            step.prove(run, facts)
            self.take_back(step.obsolete(run))
        except SetupError as error:
            # A run that has changed nothing must leave no journal, so its failure is not recorded.
            if self._journal.installation_id is not None:
                fields = {"code": error.code, "message": error.message, "hint": error.hint}
                self._journal.append("failed", step=step.name, **fields)
            self._tell(Event(step.name, "failed", text=error.message))
            raise
        receipt = self.receipt
        first = step.name not in receipt.steps and receipt.entries
        if done or first or receipt.stopped_in(step.name):
            self._journal.append("step", step=step.name)
        elapsed = self._worked() - started
        self._tell(Event(step.name, "done" if done else "unchanged", text=step.title, seconds=elapsed))
        return Planned(step.name, step.title, done)

    def _settled(self, action: Action) -> bool:
        """Return whether the action is satisfied and was not interrupted by a crash."""
        receipt = self.receipt
        entry = receipt.entries.get(action.key)
        torn = entry is not None and not entry.finished
        return not torn and action.satisfied(self._host, receipt.outputs)

    def _run_action(self, step: str, action: Action) -> bool:
        if self._settled(action):
            return False
        receipt = self.receipt
        started = self._worked()
        self._respect(action)
        self._tell(Event(step, "begin", action.key, action.describe()))
        known = receipt.entries.get(action.key)
        if known and not known.finished:
            action.clear_attempt(self._host)
        before = known.before if known else action.capture(self._host)
        self._journal.begin_installation()
        data = self._codec.dump(action.resolved(receipt.outputs))
        self._journal.append("begin", step=step, key=action.key, action=data, before=before)
        outputs = action.apply(self._host, receipt.outputs) or {}
        self._journal.append("done", key=action.key, outputs=outputs)
        elapsed = self._worked() - started
        self._tell(Event(step, "done", action.key, action.describe(), elapsed))
        return True

    def _worked(self) -> float:
        """Return seconds since an arbitrary start, without those spent waiting for a person."""
        return self._clock.monotonic() - self._waited()

    def _respect(self, action: Action) -> None:
        """Raise WaitingError before a change by others is lost; with consent, record the change first."""
        changed = self.changed(action)
        if not changed:
            return
        if not self._may_replace(changed):
            raise WaitingError(
                "changed-by-others",
                "{changed} since the installation wrote it",
                hint=(
                    "See the difference with `mstunnel-setup plan`. Move the file away, or run the "
                    "command at a terminal and confirm that it is replaced."
                ),
                changed=changed,
            )
        self._journal.append("replaced", key=action.key, theirs=action.capture(self._host))

    def _undo_entry(self, entry: Entry, record_type: str) -> Removal:
        versions = [self._codec.load(data) for data in entry.versions]
        action = versions[-1]
        if not entry.finished:
            action.clear_attempt(self._host)
        record = UndoRecord(entry.before, versions, self.receipt.outputs)
        return self._record_undone(entry, record_type, action.undo(self._host, record))

    def _record_undone(self, entry: Entry, record_type: str, undone: Undone) -> Removal:
        outcome = undone.outcome.value
        self._journal.append(record_type, key=entry.key, outcome=outcome, reason=undone.reason)
        return self._told_undone(entry, undone)

    def _told_undone(self, entry: Entry, undone: Undone) -> Removal:
        action = self._codec.load(entry.versions[-1])
        phase: Phase = "kept" if undone.outcome is Undo.KEPT else "undone"
        self._tell(Event(entry.step, phase, entry.key, action.describe()))
        return Removal(entry.key, action.describe(), undone)
