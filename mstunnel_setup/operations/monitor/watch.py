"""Which containers to restart, with back-off; a pure decision over what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

Condition: TypeAlias = Literal["healthy", "starting", "stopped", "failed", "unhealthy"]
"""`stopped` is by an administrator's hand, `failed` given up by the service manager, `starting` no news."""

# One failed check may be a slow one.
_PATIENCE: Final = 3
_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 1800.0
# A container that fails again soon after a passed check was never fixed.
_TRUSTED_AFTER: Final = 600.0


@dataclass(frozen=True)
class _Memory:
    """Of one container: bad looks in a row, restarts not yet forgotten, when the next one is allowed.

    `well_since` is the first of the good looks in a row, None after another one. Times are monotonic.
    """

    bad: int = 0
    restarts: int = 0
    not_before: float = 0.0
    well_since: float | None = None


@dataclass(frozen=True)
class RestartWatch:
    """What was seen of each container so far."""

    memory: Mapping[str, _Memory] = field(default_factory=dict)

    def look(self, seen: Mapping[str, Condition], now: float) -> tuple["RestartWatch", tuple[str, ...]]:
        """The memory after one more look at `now` (monotonic seconds), and the containers to restart."""
        updated = {name: self._after(name, condition, now) for name, condition in seen.items()}
        due = tuple(
            name for name, item in updated.items() if item.bad >= _PATIENCE and now >= item.not_before
        )
        for name in due:
            restarts = updated[name].restarts
            pause = min(_FIRST_PAUSE * 2**restarts, _LONGEST_PAUSE)
            updated[name] = _Memory(restarts=restarts + 1, not_before=now + pause)
        return RestartWatch(updated), due

    def _after(self, name: str, condition: Condition, now: float) -> _Memory:
        """Bad looks are over at once; restarts are forgotten when it stayed well for a while."""
        known = self.memory.get(name, _Memory())
        if condition == "healthy":
            since = now if known.well_since is None else known.well_since
            return _Memory() if now - since >= _TRUSTED_AFTER else replace(known, bad=0, well_since=since)
        if condition == "stopped":
            return _Memory()
        bad = {"failed": _PATIENCE, "unhealthy": known.bad + 1, "starting": known.bad}[condition]
        return replace(known, bad=bad, well_since=None)
