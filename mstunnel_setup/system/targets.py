"""Start a system target now; a link makes every boot start it."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.system.world import HasUnits


@dataclass(frozen=True, kw_only=True)
class ReachTarget(Action[HasUnits]):
    """Start a target that other units wait for. It stays active until the next boot, which is harmless."""

    kind: ClassVar[str] = "reach-target"
    unit: str

    @property
    def key(self) -> str:
        """The target."""
        return f"target:{self.unit}"

    def describe(self) -> str:
        """What will be done."""
        return f"start {self.unit}"

    def satisfied(self, world: HasUnits, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether it is active."""
        return world.systemd.active(self.unit)

    def apply(self, world: HasUnits, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Start it."""
        world.systemd.start(self.unit)
        return {}

    def undo(self, world: HasUnits, record: UndoRecord[HasUnits]) -> Undone:  # noqa: ARG002
        """Nothing to do: it ends with the next boot."""
        return Undone(Undo.ABSENT)
