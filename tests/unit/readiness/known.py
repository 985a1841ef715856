"""ReadinessFacts in which everything is right, and how to change them."""

import json
from pathlib import Path
from typing import Any

from mstunnel_setup.readiness.model import ReadinessFacts

HERE = Path(__file__).parent
GOOD: dict[str, Any] = json.loads((HERE / "good.json").read_text())
BROKEN: dict[str, list[tuple[dict[str, Any], str, str]]] = json.loads((HERE / "broken.json").read_text())


def facts(changes: dict[str, Any]) -> ReadinessFacts:
    """The good facts with some fields changed, by section; a whole section may be taken away with None."""
    sections = dict(GOOD)
    for name, fields in changes.items():
        sections[name] = fields if fields is None else {**sections[name], **fields}
    return ReadinessFacts.model_validate(sections)
