"""JSON values, and references to outputs that are only known while actions run."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

__all__ = ["JsonObject", "JsonValue", "Outputs", "as_list", "as_object", "json_bytes", "output", "resolve"]

JsonObject: TypeAlias = dict[str, JsonValue]
Outputs: TypeAlias = Mapping[str, JsonObject]
"""Outputs of finished actions, by action key."""

_REFERENCE = "$output"


def as_object(value: JsonValue) -> JsonObject:
    """Return `value`, or an empty object for any other type."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """Return `value`, or an empty list for any other type."""
    return value if isinstance(value, list) else []


def json_bytes(value: JsonValue) -> bytes:
    """Return `value` as an indented JSON file."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def output(key: str, name: str) -> JsonValue:
    """Return a reference to the output `name` of the action with `key`, for the data of other actions."""
    return {_REFERENCE: [key, name]}


def resolve(value: JsonValue, outputs: Outputs) -> JsonValue:
    """Return `value` with every reference replaced by the output; None for an output not yet known."""
    if isinstance(value, list):
        return [resolve(item, outputs) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get(_REFERENCE)
    if isinstance(reference, list):
        key, name = reference
        return outputs.get(str(key), {}).get(str(name))
    return {name: resolve(item, outputs) for name, item in value.items()}
