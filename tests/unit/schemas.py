"""The JSON schemas of the commands, as a reader and as the author of the commands holds them."""

import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[2] / "docs/reference/schemas"


def schema_of(command: str) -> dict[str, Any]:
    """The schema of a command."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{command.replace(' ', '-')}.json").read_text())
    return found


def strict(schema: Any) -> Any:
    """The schema without tolerance for fields that it does not name: for readers they may come later."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def validate(envelope: dict[str, Any]) -> None:
    """Judge what a command printed, strictly. Raises jsonschema.ValidationError."""
    schema = strict(schema_of(envelope["command"]))
    jsonschema.Draft202012Validator(schema).validate(envelope)
