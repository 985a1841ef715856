"""Doing many planned changes: several at once where their order does not matter."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from mst_admin.carry_out import carry_out_one
from mst_admin.change import Change
from mst_admin.references import References
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.io.threads import DaemonPool
from mstunnel_setup.tenant.graph_admin import AdminGraph

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.5
_LAST_LOOKS: Final = 10
"""So often is looked for the end of changes that were under way at Ctrl-C."""


@dataclass
class Done:
    """What came of many changes: those made, in their order, those refused, and whether a person ended it."""

    made: list[Change] = field(default_factory=list)
    refused: list[tuple[Change, SetupError]] = field(default_factory=list)
    interrupted: bool = False


def carry_out_many(
    changes: Sequence[Change], graph: AdminGraph, progress: Callable[[int, int], None]
) -> Done:
    """Do the changes in their order; those of one kind and verb that follow each other go several at once.

    After the first refusal, and after Ctrl-C, no further change begins; those under way end. `progress` gets
    the changes made and their number, 0 when the others will not be made. Planning again finds what was made,
    so that nothing is made twice.
    """
    done = Done()
    progress(0, len(changes))
    for wave in _waves(changes):
        attempts = _Attempts(References(graph))
        # Its threads are daemons: a request that hangs does not keep the program from ending.
        with DaemonPool(min(_AT_ONCE, len(wave))) as pool:
            running = {pool.submit(attempts, change) for change in wave}
            try:
                for outcome in _each(running):
                    outcome.put_into(done)
                    progress(len(done.made), len(changes))
            except KeyboardInterrupt:
                attempts.ended.set()
                for outcome in _each(running, _LAST_LOOKS):
                    outcome.put_into(done)
                done.interrupted = True
        if done.refused or done.interrupted:
            progress(len(done.made), 0)
            break
    place = {id(change): number for number, change in enumerate(changes)}
    done.made.sort(key=lambda change: place[id(change)])
    return done


def _waves(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in groups that do not refer to each other."""
    for _key, wave in groupby(changes, lambda change: (change.kind, change.verb)):
        yield list(wave)


@dataclass(frozen=True)
class _Outcome:
    """A change, whether it was made, and why it was refused; neither: it was not begun."""

    change: Change
    made: bool = False
    refusal: SetupError | None = None

    def put_into(self, done: Done) -> None:
        if self.made:
            done.made.append(self.change)
        elif self.refusal:
            done.refused.append((self.change, self.refusal))


@dataclass(frozen=True)
class _Attempts:
    """Does one change in any thread, as long as it has not `ended`."""

    references: References
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(self, change: Change) -> _Outcome:
        if self.ended.is_set():
            return _Outcome(change)
        try:
            carry_out_one(change, self.references)
        except SetupError as error:
            self.ended.set()
            return _Outcome(change, refusal=error)
        return _Outcome(change, made=True)


def _each(running: set["Future[_Outcome]"], most_looks: int | None = None) -> Iterator[_Outcome]:
    """What comes of the changes, each taken out of `running`.

    With `most_looks`, no more than comes while nothing is waited for longer.
    Python sees a signal that comes just before a wait when that ends, so waits are short.
    """
    looks = 0
    while running and (most_looks is None or looks < most_looks):
        done = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED).done
        looks += not done
        for each in done:
            running.remove(each)
            yield each.result()
