"""How often the agent may have the gateway changed: one rate limit, kept through restarts of the monitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import LogLine, Tell
from mstunnel_setup.exchange.log_lines import LOG_LIMITED
from mstunnel_setup.io import messages
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

ChangeKind: TypeAlias = Literal["reload", "restart", "port", "upgrade", "probe", "log"]
"""What the agent can cause: `restart` is of ocserv, `port` and `upgrade` re-create the container."""


@dataclass(frozen=True)
class Limit:
    """At most `burst` changes at once, and one more each `interval` (GCRA).

    What was done is one time: when the last change would end if each took an interval.
    """

    interval: timedelta
    burst: int = 1

    def wait(self, end: datetime | None, now: datetime) -> timedelta:
        """Return the time until the next change is allowed, zero to an interval."""
        # Only a clock that was set back makes more of it than a full burst; `after_one_more` shortens it.
        if end is None or end - now > self.burst * self.interval:
            return timedelta()
        return max(end - now - (self.burst - 1) * self.interval, timedelta())

    def after_one_more(self, end: datetime | None, now: datetime) -> datetime:
        """Return the end after one more change."""
        start = now if end is None else min(max(end, now), now + (self.burst - 1) * self.interval)
        return start + self.interval


LIMITS: Final[Mapping[ChangeKind, Limit]] = {
    # A reload keeps sessions.
    "reload": Limit(timedelta(minutes=1), 10),
    "probe": Limit(timedelta(minutes=1), 10),
    # A restart ends sessions; devices connect again by themselves.
    "restart": Limit(timedelta(minutes=10), 3),
    "port": Limit(timedelta(minutes=10)),
    "upgrade": Limit(timedelta(hours=1), 2),
    # The agent can cause a line with each file that it leaves here.
    "log": Limit(timedelta(minutes=1), 20),
}


class _ChangeRecord(BaseModel):
    """What the agent had changed: `ends` by kind of change, as in `Limit`.

    Releases up to 0.2.0 called them `debts`; the next change that is recorded replaces the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: Literal[1] = 1
    ends: dict[ChangeKind, AwareDatetime] = Field(default={}, validation_alias=AliasChoices("ends", "debts"))
    moving: Annotated[int, Field(ge=1, le=65535)] | None = None


@dataclass(frozen=True)
class RateLimiter:
    """How often the agent had something changed, in a file that it cannot write. Times are UTC.

    A change is recorded before it is made, so that one which is interrupted counts.
    """

    files: Files

    def wait(self, change: ChangeKind, now: datetime) -> timedelta:
        """Return the time until such a change is allowed; zero when it is now."""
        return LIMITS[change].wait(self._read().ends.get(change), now)

    def record(self, change: ChangeKind, now: datetime, *, moving: int | None = None) -> None:
        """Record a change, and the port of a move that begins with it. Raises FileError."""
        found = self._read()
        end = LIMITS[change].after_one_more(found.ends.get(change), now)
        ends = {**found.ends, change: end}
        self._write(found.model_copy(update={"ends": ends, "moving": moving or found.moving}))

    @property
    def moving(self) -> int | None:
        """The port of a move that was interrupted; it is completed, whatever the limit is."""
        return self._read().moving

    def end_move(self) -> None:
        """Record that the move is over, well or not. Raises FileError."""
        self._write(self._read().model_copy(update={"moving": None}))

    def _write(self, changes: _ChangeRecord) -> None:
        content = changes.model_dump_json(indent=2).encode() + b"\n"
        self.files.write(paths.AGENT_CHANGES, content, 0o600)

    def _read(self) -> _ChangeRecord:
        """Return what was recorded; nothing for a file that is damaged or of a newer version."""
        return messages.read_trusted(self.files, paths.AGENT_CHANGES, _ChangeRecord) or _ChangeRecord()


@dataclass
class LimitedLog:
    """A log that takes so many lines in a while, and says how many it left out. Kept in memory only."""

    write: Tell
    clock: Clock
    _end: datetime | None = None
    _left_out: int = 0

    def tell(self, line: LogLine) -> None:
        """Write a line, unless there were too many."""
        now, limit = self.clock.now(), LIMITS["log"]
        if limit.wait(self._end, now):
            self._left_out += 1
            return
        self._end = limit.after_one_more(self._end, now)
        if self._left_out:
            self.write(LOG_LIMITED(count=self._left_out))
            self._left_out = 0
        self.write(line)
