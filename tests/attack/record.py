"""Keeps what became of each attack, for the table in `docs/evidence/attacks.md`."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parents[2] / "build" / "attack"


@dataclass(frozen=True)
class Attack:
    """One attack that was tried on real parts, and what came of it, in a few words each."""

    attacker: str
    attack: str
    outcome: str


def record(attacker: str, attack: str, outcome: str, directory: Path = DIRECTORY) -> None:
    """Append one line to the file of the attacker; to be called once everything was asserted."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{attacker}.jsonl").open("a") as stream:
        stream.write(f"{json.dumps(asdict(Attack(attacker, attack, outcome)))}\n")


def recorded(directory: Path = DIRECTORY) -> Iterator[Attack]:
    """The last outcome of every attack, by attacker and attack: in the same order whatever ran first."""
    found: dict[tuple[str, str], Attack] = {}
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            attack = Attack(**json.loads(line))
            found[attack.attacker, attack.attack] = attack
    yield from (found[key] for key in sorted(found))
