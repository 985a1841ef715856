"""Start a system target now; a link makes every boot start it."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.ports import HasUnits
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class ReachTarget(Action[HasUnits]):
    """Start a target that other units wait for. It stays active until the next boot, which is harmless."""

    kind: ClassVar[str] = "reach-target"
    unit: str

    @property
    @override
    def key(self) -> str:
        return f"target:{self.unit}"

    @override
    def describe(self) -> str:
        return text("start {unit}", unit=self.unit)

    @override
    def satisfied(self, ports: HasUnits, outputs: Outputs) -> bool:
        return ports.systemd.active(self.unit)

    @override
    def apply(self, ports: HasUnits, outputs: Outputs) -> JsonObject:
        ports.systemd.start(self.unit)
        return {}

    @override
    def undo(self, ports: HasUnits, record: UndoRecord[HasUnits]) -> Undone:
        """Nothing to do: it ends with the next boot."""
        return Undone(Undo.ABSENT)
