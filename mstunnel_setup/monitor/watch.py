"""Which containers to restart, with back-off; a pure decision over what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

Condition: TypeAlias = Literal["well", "starting", "stopped", "failed", "unhealthy"]
"""`stopped` is by an administrator's hand, `failed` given up by the service manager, `starting` no news."""

# One bad look may be a slow health check.
_PATIENCE: Final = 3
_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 1800.0


@dataclass(frozen=True)
class _Memory:
    """Of one container: bad looks in a row, restarts in a row, and when (monotonic) the next is allowed."""

    bad: int = 0
    restarts: int = 0
    not_before: float = 0.0


@dataclass(frozen=True)
class Watch:
    """What was seen of each container so far."""

    memory: Mapping[str, _Memory] = field(default_factory=dict)

    def look(self, seen: Mapping[str, Condition], now: float) -> tuple["Watch", tuple[str, ...]]:
        """The memory after one more look at `now` (monotonic seconds), and the containers to restart."""
        updated = {name: self._after(name, condition) for name, condition in seen.items()}
        due = tuple(
            name for name, item in updated.items() if item.bad >= _PATIENCE and now >= item.not_before
        )
        return Watch({**updated, **{name: _restarted(updated[name], now) for name in due}}), due

    def _after(self, name: str, condition: Condition) -> _Memory:
        known = self.memory.get(name, _Memory())
        if condition == "failed":
            return replace(known, bad=_PATIENCE)
        if condition == "unhealthy":
            return replace(known, bad=known.bad + 1)
        return known if condition == "starting" else _Memory()


def _restarted(memory: _Memory, now: float) -> _Memory:
    pause = min(_FIRST_PAUSE * 2**memory.restarts, _LONGEST_PAUSE)
    return _Memory(bad=0, restarts=memory.restarts + 1, not_before=now + pause)
