"""Start a system target now; a link makes every boot start it."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class ReachTarget(Action):
    """Start a target that other units wait for. It stays active until the next boot, which is harmless."""

    kind: ClassVar[str] = "reach-target"
    unit: str

    @property
    @override
    def key(self) -> str:
        return f"target:{self.unit}"

    @override
    def describe(self) -> str:
        return f"start {self.unit}"

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.systemd.active(self.unit)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        host.systemd.start(self.unit)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Nothing to do: it ends with the next boot."""
        return Undone(Undo.ABSENT)
