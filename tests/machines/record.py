"""What was seen in machines, below build/machines, for the table in the documentation."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from tests.machines.bed import MachineBed

# A JSON object: a machine, what was tried in it and when, complaints and figures.
Outcome: TypeAlias = dict[str, Any]

DIRECTORY = Path("build/machines")
CUT = "Power cut in "
INSTALLED = "Installation from the program and the archive of images, to a page through the tunnel"


def add(bed: MachineBed, what: str, complaints: Sequence[str], **figures: Any) -> None:
    """Keep the outcome of one trial: `what` was tried, and what was wrong afterwards."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    disk, now = bed.disk, datetime.now(UTC)
    machine = {"suite": disk.suite.name, "file_system": disk.file_system, "runs": bed.runs, **bed.versions}
    outcome = {"date": now.date().isoformat(), **machine, "what": what, "complaints": list(complaints)}
    # Two machines may be at work.
    path = DIRECTORY / f"{now:%H%M%S%f}-{disk.suite.name}-{disk.file_system}.json"
    path.write_text(json.dumps({**outcome, **figures}, indent=1) + "\n")


def recorded() -> list[Outcome]:
    """Every outcome."""
    return [json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))]
