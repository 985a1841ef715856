"""How often the agent may have the gateway changed: one rate limit, kept through restarts of the monitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import LogLine, Tell
from mstunnel_setup.exchange.log_lines import LOG_LIMITED
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

Change: TypeAlias = Literal["reload", "restart", "port", "upgrade", "probe", "log"]
"""What the agent can cause: `restart` is of ocserv, `port` and `upgrade` re-create the container."""


@dataclass(frozen=True)
class Limit:
    """At most `burst` changes at once, and one more each `interval`.

    What was done is one time, the `debt`: as if each change took an interval, when the last one is over.
    """

    interval: timedelta
    burst: int = 1

    def wait(self, debt: datetime | None, now: datetime) -> timedelta:
        """How long until the next change is allowed; zero when it is now. Never more than an interval."""
        # Only a clock that was set back makes more of it than a full burst; `taken` shortens it.
        if debt is None or debt - now > self.burst * self.interval:
            return timedelta()
        return max(debt - now - (self.burst - 1) * self.interval, timedelta())

    def taken(self, debt: datetime | None, now: datetime) -> datetime:
        """The debt after one more change."""
        end = now if debt is None else min(max(debt, now), now + (self.burst - 1) * self.interval)
        return end + self.interval


LIMITS: Final[Mapping[Change, Limit]] = {
    # Sessions go on.
    "reload": Limit(timedelta(minutes=1), 10),
    "probe": Limit(timedelta(minutes=1), 10),
    # Sessions end, devices come back by themselves.
    "restart": Limit(timedelta(minutes=10), 3),
    "port": Limit(timedelta(minutes=10)),
    "upgrade": Limit(timedelta(hours=1), 2),
    # Lines about what the agent has left here.
    "log": Limit(timedelta(minutes=1), 20),
}


class _Debts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    debts: dict[Change, AwareDatetime] = {}
    moving: Annotated[int, Field(ge=1, le=65535)] | None = None


@dataclass(frozen=True)
class Ledger:
    """What was changed at the agent's word, in a file that the agent cannot write. Times are UTC."""

    files: Files

    def wait(self, change: Change, now: datetime) -> timedelta:
        """How long until such a change is allowed; zero when it is now."""
        return LIMITS[change].wait(self._read().debts.get(change), now)

    def take(self, change: Change, now: datetime) -> None:
        """Note a change before it is made, so that one which is cut off counts. Raises FileError."""
        self._write(self._after(change, now))

    @property
    def moving(self) -> int | None:
        """The port of a move that was cut off; it is brought to its end, whatever the limit says."""
        return self._read().moving

    def begin_move(self, port: int, now: datetime) -> None:
        """Note a move to another port before it is made. Raises FileError."""
        self._write(self._after("port", now).model_copy(update={"moving": port}))

    def end_move(self) -> None:
        """Note that the move is over, well or not. Raises FileError."""
        self._write(self._read().model_copy(update={"moving": None}))

    def _after(self, change: Change, now: datetime) -> _Debts:
        found = self._read()
        debt = LIMITS[change].taken(found.debts.get(change), now)
        return found.model_copy(update={"debts": {**found.debts, change: debt}})

    def _write(self, debts: _Debts) -> None:
        self.files.write(paths.AGENT_CHANGES, debts.model_dump_json(indent=2).encode() + b"\n", 0o600)

    def _read(self) -> _Debts:
        """What was noted; one that was damaged, or that a newer version wrote, counts as none."""
        try:
            return _Debts.model_validate_json(self.files.read(paths.AGENT_CHANGES) or b"{}")
        except ValidationError:
            return _Debts()


class LimitedLog:
    """A log that takes so many lines in a while, and says how many it left out. Kept in memory only."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._debt: datetime | None = None
        self._left_out = 0

    def tell(self, line: LogLine) -> None:
        """Write a line, unless there were too many."""
        now, limit = self._clock.now(), LIMITS["log"]
        if limit.wait(self._debt, now):
            self._left_out += 1
            return
        self._debt = limit.taken(self._debt, now)
        if self._left_out:
            self._tell(LOG_LIMITED(count=self._left_out))
            self._left_out = 0
        self._tell(line)
