"""The decision which containers to check and to restart, with back-off between restarts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import LATEST_REPORT, read_report
from mstunnel_setup.exchange.health_report import read_health
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

Condition: TypeAlias = Literal["healthy", "starting", "stopped", "failed", "unhealthy"]
"""`stopped`: by an administrator; `failed`: given up by the service manager; `starting`: no result yet."""

# A single failed check may only have been slow.
_PATIENCE: Final = 3
_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 1800.0
# A container that fails again within this time counts as not repaired.
_TRUSTED_AFTER: Final = 600.0
# The agent reports every minute; with a tenant that does not answer, a round takes longer.
_LATEST_AGENT_REPORT: Final = timedelta(minutes=2.5)


@dataclass(frozen=True)
class _Memory:
    """The history of one container: consecutive failures, and recent restarts.

    `not_before` is the earliest time of the next restart, `well_since` that of the first consecutive success
    (None after a failure). Times are monotonic.
    """

    bad: int = 0
    restarts: int = 0
    not_before: float = 0.0
    well_since: float | None = None


@dataclass
class RestartDecision:
    """The history of all containers, and the restarts that follow from it."""

    memory: dict[str, _Memory] = field(default_factory=dict)

    def look(self, seen: Mapping[str, Condition], now: float) -> Sequence[str]:
        """Record the conditions at `now` (monotonic seconds); return the containers to restart."""
        due = []
        for name, condition in seen.items():
            item = _after(self.memory.get(name, _Memory()), condition, now)
            if item.bad >= _PATIENCE and now >= item.not_before:
                due.append(name)
                pause = min(_FIRST_PAUSE * 2**item.restarts, _LONGEST_PAUSE)
                item = _Memory(restarts=item.restarts + 1, not_before=now + pause)
            self.memory[name] = item
        return due


def _after(known: _Memory, condition: Condition, now: float) -> _Memory:
    """Return the history after a check: a success ends failures, a longer healthy time clears restarts."""
    if condition == "healthy":
        since = now if known.well_since is None else known.well_since
        return _Memory() if now - since >= _TRUSTED_AFTER else replace(known, bad=0, well_since=since)
    if condition == "stopped":
        return _Memory()
    bad = {"failed": _PATIENCE, "unhealthy": known.bad + 1, "starting": known.bad}[condition]
    return replace(known, bad=bad, well_since=None)


def silent(files: Files, now: datetime) -> frozenset[str]:
    """Return the containers whose last report is old, or missing, or says that ocserv did not answer.

    A missing report is no proof, since a disk may be full; a health check is, but it starts programs.
    """
    found = set[str]()
    try:
        gateway = read_report(files)
    except FileError:
        gateway = None
    # The absolute difference counts, because the clock may have been set back.
    if gateway is None or gateway.connections is None or abs(now - gateway.at) > LATEST_REPORT:
        found.add(paths.SERVER)
    agent = read_health(files)
    if agent is None or abs(now - agent.at) > _LATEST_AGENT_REPORT:
        found.add(paths.AGENT)
    return frozenset(found)
