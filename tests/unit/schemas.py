"""The JSON schemas of the commands: as published, and in the strict form that the tests apply."""

import json
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "docs/reference/schemas"
ENVELOPE = "envelope.json"


def schema_of(command: str) -> dict[str, Any]:
    """The schema of a command."""
    return _read(f"{command.replace(' ', '-')}.json")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_text())
    return found


def strict(schema: Any) -> Any:
    """The schema without tolerance for fields that it does not name; published schemas allow new fields."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def validate(envelope: dict[str, Any], command: str | None = None) -> None:
    """Validate the output of a command strictly, with the schema of `command` (default: the one it names).

    Raises jsonschema.ValidationError.
    """
    schema = strict(schema_of(command or envelope["command"]))
    common = Resource.from_contents(strict(_read(ENVELOPE)))
    registry = Registry().with_resource(ENVELOPE, common)
    jsonschema.Draft202012Validator(schema, registry=registry).validate(envelope)
