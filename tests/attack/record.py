"""What each attack came to, for the table of the security page."""

import json

from tests.testbed.paths import ROOT

FOLDER = ROOT / "build" / "attack"


def record(attacker: str, attack: str, outcome: str) -> None:
    """Append the outcome of one attack to `build/attack/ATTACKER.jsonl`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    row = {"attacker": attacker, "attack": attack, "outcome": outcome}
    with (FOLDER / f"{attacker}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
