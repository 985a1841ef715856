"""Execution of planned changes, concurrently where their order does not matter."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from mst_admin.change import Change
from mst_admin.errors import APP_MISSING, NAME_UNKNOWN, PROFILE_UNKNOWN, TRUSTED_ROOT_UNKNOWN
from mst_admin.kinds import kind_of
from mst_admin.kinds.kind import References
from mstunnel_setup.base.errors import SetupError, WaitingError, declare
from mstunnel_setup.io.threads import DaemonPool
from mstunnel_setup.tenant.approvals import APPROVAL_CODES
from mstunnel_setup.tenant.graph_admin import AdminGraph

APPROVAL_BEFORE = declare(
    WaitingError,
    "approval-before",
    "the change of another object must be approved before: {problem}",
    "Run the same command again after that approval.",
)

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 0.5
_LAST_LOOKS: Final = 10
"""Number of polls for changes that were in progress at Ctrl-C."""
_DEPENDENT: Final = frozenset(
    {
        "conflict",
        APP_MISSING.code,
        *(error.code for error in (NAME_UNKNOWN, PROFILE_UNKNOWN, TRUSTED_ROOT_UNKNOWN)),
    }
)
"""The codes of errors about an object that does not exist yet, or that is still in use."""


@dataclass
class ApplyOutcome:
    """Result of many changes: those made, in order, those refused, and whether Ctrl-C interrupted them.

    `unapproved` are those that lack an approval, and those of objects that depend on them.
    """

    made: list[Change] = field(default_factory=list)
    unapproved: list[tuple[Change, SetupError]] = field(default_factory=list)
    refused: list[tuple[Change, SetupError]] = field(default_factory=list)
    interrupted: bool = False


def carry_out(changes: Sequence[Change], graph: AdminGraph) -> None:
    """Execute the changes one after the other. Raises the first error, such as TenantError."""
    references = References(graph)
    for change in changes:
        kind_of(change).write(change, references)


def carry_out_many(
    changes: Sequence[Change], graph: AdminGraph, progress: Callable[[int, int], None]
) -> ApplyOutcome:
    """Execute the changes in order; adjacent ones of the same kind and verb run concurrently.

    After the first error or Ctrl-C no further change starts; those in progress finish. A change that needs an
    approval prevents only the changes of objects that depend on it. `progress` receives the number of changes
    made and the total, which is 0 when the rest is skipped. A new plan finds what was made already, so
    nothing is made twice.
    """
    outcome = ApplyOutcome()
    progress(0, len(changes))
    # Changes of one kind and verb do not depend on each other, so they can run concurrently.
    for _key, same in groupby(changes, lambda change: (change.kind, change.verb)):
        wave = list(same)
        references, ended = References(graph), threading.Event()
        # The worker threads are daemons, so that a request that hangs does not keep the program from exiting.
        with DaemonPool(min(_AT_ONCE, len(wave))) as pool:
            running = {pool.submit(_attempt, change, references, ended, outcome): change for change in wave}
            try:
                for _each in _ended(running, outcome):
                    progress(len(outcome.made), len(changes))
            except KeyboardInterrupt:
                ended.set()
                list(_ended(running, outcome, _LAST_LOOKS))
                outcome.interrupted = True
        if outcome.refused or outcome.interrupted:
            break
    if outcome.refused or outcome.interrupted or outcome.unapproved:
        progress(len(outcome.made), 0)
    place = {id(change): number for number, change in enumerate(changes)}
    outcome.made.sort(key=lambda change: place[id(change)])
    return outcome


def _attempt(
    change: Change, references: References, ended: threading.Event, outcome: ApplyOutcome
) -> bool | SetupError:
    """Execute one change unless `ended` is set; return whether it was made, or its error."""
    if ended.is_set():
        return False
    try:
        kind_of(change).write(change, references)
    except SetupError as error:
        if outcome.unapproved and error.code in _DEPENDENT:
            return APPROVAL_BEFORE(problem=error.message)
        if error.code not in APPROVAL_CODES:
            ended.set()
        return error
    return True


def _ended(
    running: dict["Future[bool | SetupError]", Change], outcome: ApplyOutcome, most_looks: int | None = None
) -> Iterator[Change]:
    """Yield changes as they finish, moving each from `running` to `outcome`.

    `most_looks` limits the number of polls that find nothing finished. Waits are short, because Python
    handles a signal that arrives just before a wait only after it.
    """
    looks = 0
    while running and (most_looks is None or looks < most_looks):
        done = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED).done
        looks += not done
        for each in done:
            change, result = running.pop(each), each.result()
            if isinstance(result, SetupError):
                lacks_approval = result.code in {APPROVAL_BEFORE.code, *APPROVAL_CODES}
                (outcome.unapproved if lacks_approval else outcome.refused).append((change, result))
            elif result:
                outcome.made.append(change)
            yield change
