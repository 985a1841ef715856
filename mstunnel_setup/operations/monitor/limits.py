"""Rate limits for changes of the gateway that the agent requests; they persist across restarts."""

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
"""Changes that the agent can cause: `restart` restarts ocserv, `port` and `upgrade` re-create containers."""


@dataclass(frozen=True)
class Limit:
    """At most `burst` changes at once, and one more each `interval` (GCRA).

    The state is a single time: the end of the last change if each took an interval.
    """

    interval: timedelta
    burst: int = 1

    def wait(self, end: datetime | None, now: datetime) -> timedelta:
        """Return the time until the next change is allowed: between zero and one interval."""
        # The end exceeds a full burst only if the clock was set back; `after_one_more` corrects it.
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
    # The agent can cause a log line with each file that it writes to the inbox.
    "log": Limit(timedelta(minutes=1), 20),
}


class _ChangeRecord(BaseModel):
    """The state of the limits: `ends` by kind of change, as in `Limit`.

    Releases up to 0.2.0 called the field `debts`; the next recorded change replaces the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: Literal[1] = 1
    ends: dict[ChangeKind, AwareDatetime] = Field(default={}, validation_alias=AliasChoices("ends", "debts"))
    moving: Annotated[int, Field(ge=1, le=65535)] | None = None


@dataclass(frozen=True)
class RateLimiter:
    """The limits and their state, in a file that the agent cannot write. Times are UTC.

    A change is recorded before it is made, so that an interrupted one counts.
    """

    files: Files

    def wait(self, change: ChangeKind, now: datetime) -> timedelta:
        """Return the time until such a change is allowed; zero if it is allowed now."""
        return LIMITS[change].wait(self._read().ends.get(change), now)

    def record(self, change: ChangeKind, now: datetime, *, moving: int | None = None) -> None:
        """Record a change, and the target port if it is a move. Raises FileError."""
        found = self._read()
        end = LIMITS[change].after_one_more(found.ends.get(change), now)
        ends = {**found.ends, change: end}
        self._write(found.model_copy(update={"ends": ends, "moving": moving or found.moving}))

    @property
    def moving(self) -> int | None:
        """Target port of an interrupted move, which is completed regardless of the limit."""
        return self._read().moving

    def end_move(self) -> None:
        """Record the end of a move, successful or not. Raises FileError."""
        self._write(self._read().model_copy(update={"moving": None}))

    def _write(self, changes: _ChangeRecord) -> None:
        content = changes.model_dump_json(indent=2).encode() + b"\n"
        self.files.write(paths.AGENT_CHANGES, content, 0o600)

    def _read(self) -> _ChangeRecord:
        """Read the record; return an empty one for a file that is damaged or of a newer version."""
        return messages.read_trusted(self.files, paths.AGENT_CHANGES, _ChangeRecord) or _ChangeRecord()


@dataclass
class LimitedLog:
    """A log with a rate limit, which reports how many lines it dropped. Its state is in memory only."""

    write: Tell
    clock: Clock
    _end: datetime | None = None
    _left_out: int = 0

    def tell(self, line: LogLine) -> None:
        """Write a line, unless the limit is exceeded."""
        now, limit = self.clock.now(), LIMITS["log"]
        if limit.wait(self._end, now):
            self._left_out += 1
            return
        self._end = limit.after_one_more(self._end, now)
        if self._left_out:
            self.write(LOG_LIMITED(count=self._left_out))
            self._left_out = 0
        self.write(line)
