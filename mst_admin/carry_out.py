"""Doing planned changes: several at once where their order does not matter."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from mst_admin.change import Change
from mst_admin.kinds import kind_of
from mst_admin.kinds.kind import References
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.io.threads import DaemonPool
from mstunnel_setup.tenant.graph_admin import AdminGraph

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.5
_LAST_LOOKS: Final = 10
"""So often is looked for the end of changes that were under way at Ctrl-C."""


@dataclass
class ApplyOutcome:
    """What came of many changes: those made, in their order, those refused, and whether a person ended it."""

    made: list[Change] = field(default_factory=list)
    refused: list[tuple[Change, SetupError]] = field(default_factory=list)
    interrupted: bool = False


def carry_out(changes: Sequence[Change], graph: AdminGraph) -> None:
    """Do the changes one after the other; the first refusal ends it. Raises TenantError and its like."""
    references = References(graph)
    for change in changes:
        kind_of(change).write(change, references)


def carry_out_many(
    changes: Sequence[Change], graph: AdminGraph, progress: Callable[[int, int], None]
) -> ApplyOutcome:
    """Do the changes in their order; those of one kind and verb that follow each other go several at once.

    After the first refusal, and after Ctrl-C, no further change begins; those under way end. `progress` gets
    the changes made and their number, 0 when the others will not be made. Planning again finds what was made,
    so that nothing is made twice.
    """
    outcome = ApplyOutcome()
    progress(0, len(changes))
    # The changes of one kind and verb do not refer to each other.
    for _key, same in groupby(changes, lambda change: (change.kind, change.verb)):
        wave = list(same)
        references, ended = References(graph), threading.Event()
        # Its threads are daemons: a request that hangs does not keep the program from ending.
        with DaemonPool(min(_AT_ONCE, len(wave))) as pool:
            running = {pool.submit(_attempt, change, references, ended): change for change in wave}
            try:
                for _each in _ended(running, outcome):
                    progress(len(outcome.made), len(changes))
            except KeyboardInterrupt:
                ended.set()
                list(_ended(running, outcome, _LAST_LOOKS))
                outcome.interrupted = True
        if outcome.refused or outcome.interrupted:
            progress(len(outcome.made), 0)
            break
    place = {id(change): number for number, change in enumerate(changes)}
    outcome.made.sort(key=lambda change: place[id(change)])
    return outcome


def _attempt(change: Change, references: References, ended: threading.Event) -> bool | SetupError:
    """Do one change unless others have `ended`: whether it was made, or why it was refused."""
    if ended.is_set():
        return False
    try:
        kind_of(change).write(change, references)
    except SetupError as error:
        ended.set()
        return error
    return True


def _ended(
    running: dict["Future[bool | SetupError]", Change], outcome: ApplyOutcome, most_looks: int | None = None
) -> Iterator[Change]:
    """The changes as they end, each taken out of `running` and put into `outcome`.

    With `most_looks`, no more than comes while nothing is waited for longer.
    Python sees a signal that comes just before a wait when that ends, so waits are short.
    """
    looks = 0
    while running and (most_looks is None or looks < most_looks):
        done = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED).done
        looks += not done
        for each in done:
            change, result = running.pop(each), each.result()
            if isinstance(result, SetupError):
                outcome.refused.append((change, result))
            elif result:
                outcome.made.append(change)
            yield change
