"""An action that changes nothing but the journal: it remembers an answer for later runs."""

from dataclasses import dataclass
from typing import Any, ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.values import JsonObject, JsonValue, Outputs


@dataclass(frozen=True, kw_only=True)
class StoreAnswer(Action[Any]):
    """Keep `value` under `name`; `remembered` finds it again."""

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
        """Whether this very value is remembered."""
        return outputs.get(self.key) == {"value": self.value}

    def capture(self, world: Any) -> JsonObject:  # noqa: ARG002
        """There is nothing to go back to."""
        return {}

    def apply(self, world: Any, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """The journal record is the effect."""
        return {"value": self.value}

    def undo(self, world: Any, record: UndoRecord[Any]) -> Undone:  # noqa: ARG002
        """Forgotten with the record."""
        return Undone(Undo.REMOVED)


def remembered(receipt: Receipt, name: str) -> JsonValue:
    """The value remembered under `name`, or None."""
    return receipt.outputs.get(f"answer:{name}", {}).get("value")


def all_remembered(receipt: Receipt) -> JsonObject:
    """Every remembered value, by name."""
    prefix = "answer:"
    return {
        key.removeprefix(prefix): outputs.get("value")
        for key, outputs in receipt.outputs.items()
        if key.startswith(prefix)
    }
