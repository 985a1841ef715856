"""An action that only stores an answer in the journal, for later runs."""

from typing_extensions import override

from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.transaction.action import RecordAction


class StoreAnswer(RecordAction):
    """Store `value` under `name`; `remembered` (transaction/receipt.py) reads it."""

    kind = "remember"
    key_template = "answer:{name}"
    description = text("remember {name}")
    name: str
    value: JsonValue

    @property
    @override
    def results(self) -> JsonObject:
        return {"value": self.value}
