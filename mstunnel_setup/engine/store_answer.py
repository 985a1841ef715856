"""An action that only stores an answer in the journal, for later runs."""

from dataclasses import dataclass
from typing import Any, ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.values import JsonObject, JsonValue, Outputs


@dataclass(frozen=True, kw_only=True)
class StoreAnswer(Action[Any]):
    """Store `value` under `name`; read it with `remembered`."""

    kind: ClassVar[str] = "remember"
    name: str
    value: JsonValue

    @property
    def key(self) -> str:
        """The name."""
        return f"answer:{self.name}"

    def describe(self) -> str:
        """What will be done."""
        return f"remember {self.name}"

    def satisfied(self, world: Any, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether this value is stored."""
        return outputs.get(self.key) == {"value": self.value}

    def apply(self, world: Any, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """The journal record is the effect."""
        return {"value": self.value}

    def undo(self, world: Any, record: UndoRecord[Any]) -> Undone:  # noqa: ARG002
        """Removed with the record."""
        return Undone(Undo.REMOVED)


def remembered(receipt: Receipt, name: str) -> JsonValue:
    """The value stored under `name`, or None."""
    return receipt.outputs.get(f"answer:{name}", {}).get("value")


def all_remembered(receipt: Receipt) -> JsonObject:
    """All stored values, by name."""
    prefix = "answer:"
    return {
        key.removeprefix(prefix): outputs.get("value")
        for key, outputs in receipt.outputs.items()
        if key.startswith(prefix)
    }
