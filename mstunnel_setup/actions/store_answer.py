"""An action that only stores an answer in the journal, for later runs."""

from typing_extensions import override

from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.transaction.action import RecordAction
from mstunnel_setup.transaction.receipt import Receipt


class StoreAnswer(RecordAction):
    """Store `value` under `name`; `remembered` reads it."""

    kind = "remember"
    key_template = "answer:{name}"
    description = text("remember {name}")
    name: str
    value: JsonValue

    @property
    @override
    def results(self) -> JsonObject:
        return {"value": self.value}


def remembered(receipt: Receipt, name: str) -> JsonValue:
    """Return the value stored under `name`, or None."""
    return receipt.outputs.get(f"answer:{name}", {}).get("value")


def all_remembered(receipt: Receipt) -> JsonObject:
    """Return all stored values by name, except those of interrupted actions."""
    prefix = "answer:"
    return {
        key.removeprefix(prefix): outputs["value"]
        for key, outputs in receipt.outputs.items()
        if key.startswith(prefix) and "value" in outputs
    }
