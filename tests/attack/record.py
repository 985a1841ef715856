"""The table of attacks: who tried what, and what became of it."""

import json
from pathlib import Path

FOLDER = Path("build/attack")


def record(attacker: str, attack: str, outcome: str) -> None:
    """Append one row to the attacker's file in build/attack."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    row = {"attacker": attacker, "attack": attack, "outcome": outcome}
    with (FOLDER / f"{attacker}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
