"""The kill loop: a run is killed at one of its points, and the next one has to bring it to the same end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.crash.arena import Arena, Ended, Kept, differences

KILLED = -9


@dataclass
class Scene:
    """An arena and what undisturbed runs do in it: before, after an install, and the points on the way."""

    arena: Arena
    prepare: Callable[[], None]
    before: dict[str, Any] = field(default_factory=dict)
    golden: dict[str, Any] = field(default_factory=dict)
    installed: Kept | None = None
    points: tuple[str, ...] = ()
    removal_points: tuple[str, ...] = ()

    def rehearse(self) -> "Scene":
        """Install and uninstall undisturbed. An error when that alone fails or leaves something behind."""
        for _ in range(2):  # the first run imports what later ones find imported
            self.reset()
            self.before = self.arena.state()
            installed = self.arena.install().checked()
            self.golden, self.points = self.arena.state(), installed.points
            assert self.golden["told_in_order"]
            self.installed = self.arena.keep()
            self.removal_points = self.arena.uninstall().checked().points
        assert not differences(self.before, self.arena.state())
        return self

    def reset(self) -> None:
        """As it was before anything was done."""
        self.arena.reset()
        self.prepare()

    def install(self) -> None:
        """As after an undisturbed installation."""
        assert self.installed is not None
        self.reset()
        self.arena.bring_back(self.installed)

    def resumed(self, number: int, then: int | None = None, **options: Any) -> list[str]:
        """Install, killed at point `number` (and the next run at `then`); run again; what differs."""
        self.reset()
        complaints = _killed(self.arena.install(kill_at=number, **options), number)
        if then is not None and self.arena.install(kill_at=then, **options).code not in (KILLED, 0):
            complaints.append(f"the resumed run was neither killed at {then} nor successful")
        return [*complaints, *_ended(self.arena.install(**options), self.arena, self.golden)]

    def removed(self, number: int, then: int | None = None, **options: Any) -> list[str]:
        """Install, killed at point `number`; uninstall (killed at `then`, and again); what is left."""
        self.reset()
        complaints = _killed(self.arena.install(kill_at=number, **options), number)
        if then is not None and self.arena.uninstall(kill_at=then, **options).code not in (KILLED, 0):
            complaints.append(f"the uninstallation was neither killed at {then} nor successful")
        return [*complaints, *_ended(self.arena.uninstall(**options), self.arena, self.before)]

    def removal_resumed(self, number: int, **options: Any) -> list[str]:
        """Uninstall, killed at point `number`; uninstall again; what is left."""
        self.install()
        complaints = _killed(self.arena.uninstall(kill_at=number, **options), number)
        return [*complaints, *_ended(self.arena.uninstall(**options), self.arena, self.before)]


def point(points: Sequence[str], *wanted: str) -> int:
    """Number of the first point whose name contains all that is wanted."""
    return next(number for number, name in enumerate(points, 1) if all(text in name for text in wanted))


def _killed(ended: Ended, number: int) -> list[str]:
    return (
        [] if ended.code == KILLED else [f"not killed at {number}: exit {ended.code}: {ended.stderr[-200:]}"]
    )


def _ended(ended: Ended, arena: Arena, wanted: dict[str, Any]) -> list[str]:
    failed = [f"exit {ended.code}: {ended.stdout[-400:]}"] if ended.code != 0 else []
    return [*failed, *differences(wanted, arena.state())]
