"""ReadinessFacts without problems, changes of them, and files of a host."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mstunnel_setup.readiness.model import ReadinessFacts

HERE = Path(__file__).parent
GOOD: dict[str, Any] = json.loads((HERE / "good.json").read_text())
BROKEN: dict[str, list[tuple[dict[str, Any], str, str]]] = json.loads((HERE / "broken.json").read_text())


def facts(changes: dict[str, Any]) -> ReadinessFacts:
    """Return the good facts with some fields changed, by section; None removes a whole section."""
    sections = dict(GOOD)
    for name, fields in changes.items():
        sections[name] = fields if fields is None else {**sections[name], **fields}
    return ReadinessFacts.model_validate(sections)


def put(root: Path, texts: Mapping[str, str | None]) -> None:
    """Write files of the host below `root`, except those that are None."""
    for path, content in texts.items():
        if content is not None:
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
