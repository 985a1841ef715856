"""JSON values, and references to results that are only known while actions run."""

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

__all__ = ["JsonObject", "JsonValue", "Outputs", "output", "resolve"]

JsonObject: TypeAlias = dict[str, JsonValue]
Outputs: TypeAlias = Mapping[str, JsonObject]
"""What finished actions returned, by action key."""

_REFERENCE = "$output"


def output(key: str, name: str) -> JsonValue:
    """A reference to the result `name` of the action with `key`, to stand inside an action's data."""
    return {_REFERENCE: [key, name]}


def resolve(value: JsonValue, outputs: Outputs) -> JsonValue:
    """`value` with every reference replaced by the result; None for a result not yet known."""
    if isinstance(value, list):
        return [resolve(item, outputs) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get(_REFERENCE)
    if isinstance(reference, list):
        key, name = reference
        return outputs.get(str(key), {}).get(str(name))
    return {name: resolve(item, outputs) for name, item in value.items()}
