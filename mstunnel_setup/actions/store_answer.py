"""An action that only stores an answer in the journal, for later runs."""

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.receipt import Receipt


class StoreAnswer(Action):
    """Store `value` under `name`; read it with `remembered`."""

    kind = "remember"
    key_template = "answer:{name}"
    description = text("remember {name}")
    name: str
    value: JsonValue

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return outputs.get(self.key) == {"value": self.value}

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """The journal record is the effect."""
        return {"value": self.value}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        return Undone(Undo.REMOVED)


def remembered(receipt: Receipt, name: str) -> JsonValue:
    """The value stored under `name`, or None."""
    return receipt.outputs.get(f"answer:{name}", {}).get("value")


def all_remembered(receipt: Receipt) -> JsonObject:
    """All stored values, by name; without those whose action was cut off before its end."""
    prefix = "answer:"
    return {
        key.removeprefix(prefix): outputs["value"]
        for key, outputs in receipt.outputs.items()
        if key.startswith(prefix) and "value" in outputs
    }
