"""What became of each attack: lines that the security page is made of."""

import json
from pathlib import Path

FOLDER = Path("build/attack")


def record(attacker: str, attack: str, outcome: str) -> None:
    """Append one line to the figures of `attacker`; several processes may do so at once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{attacker}.jsonl").open("a") as stream:
        stream.write(json.dumps({"attacker": attacker, "attack": attack, "outcome": outcome}) + "\n")
