"""What was seen in machines, below build/machines, for the table in the documentation."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.machines.bed import MachineBed

DIRECTORY = Path("build/machines")
INSTALLED = "Installation from the program and the archive of images, to a page through the tunnel"


def add(bed: MachineBed, what: str, complaints: Sequence[str], **figures: Any) -> None:
    """Keep the outcome of one trial: `what` was tried, and what was wrong afterwards."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    date = datetime.now(UTC).date().isoformat()
    disk = bed.disk
    machine = {"suite": disk.suite.name, "file_system": disk.file_system, "runs": bed.runs, **bed.versions}
    outcome = {"date": date, **machine, "what": what, "complaints": list(complaints), **figures}
    path = DIRECTORY / f"{disk.suite.name}-{disk.file_system}.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*kept, outcome], indent=1) + "\n")


def recorded() -> list[dict[str, Any]]:
    """Every outcome."""
    return [outcome for path in sorted(DIRECTORY.glob("*.json")) for outcome in json.loads(path.read_text())]
