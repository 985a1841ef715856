"""Compaction: of the records of a journal those that its receipt rests on.

What they fold to is the same receipt, but for versions of an object that later ones have long replaced.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mstunnel_setup.engine.values import JsonObject

VERSIONS = 4
"""How many versions of an object stay, besides the one that it was made with."""


@dataclass
class _Standing:
    """The numbers of the records that count, found record by record."""

    objects: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, int] = field(default_factory=dict)
    failure: int | None = None
    others: list[int] = field(default_factory=list)

    def take(self, number: int, record: JsonObject) -> None:
        """Note a record, and forget those that it makes pointless."""
        kind, key = record["type"], record.get("key")
        if kind in ("undone", "taken-back"):
            self.objects.pop(str(key), None)
        elif key is not None:
            self.objects[str(key)].append(number)
        elif kind == "step":
            self.steps.setdefault(str(record["step"]), number)
        elif kind != "failed":
            # The first record, and kinds that only a newer version knows.
            self.others.append(number)
        if kind == "undone":
            self.steps.clear()
        if kind in ("undone", "step", "failed"):
            self.failure = number if kind == "failed" else None


def essential(records: Sequence[JsonObject]) -> list[JsonObject]:
    """The records that the receipt rests on, in their order, numbered from 1 without a gap."""
    standing = _Standing()
    for number, record in enumerate(records):
        standing.take(number, record)
    kept = {*standing.others, *standing.steps.values()}
    kept.update(*(_of_object(numbers, records) for numbers in standing.objects.values()))
    if standing.failure is not None:
        kept.add(standing.failure)
    return [
        {**records[number], "sequence": sequence} for sequence, number in enumerate(sorted(kept), start=1)
    ]


def _of_object(numbers: Sequence[int], records: Sequence[JsonObject]) -> set[int]:
    """Of the records of one object those that its entry in the receipt rests on."""
    begun = [number for number in numbers if records[number]["type"] == "begin"]
    done = [number for number in numbers if records[number]["type"] == "done"]
    made = done[:1]
    # With how it was made stands what was there before, and since when it is older than others.
    making = [number for number in begun if not made or number < made[0]]
    versions = {json.dumps(records[number]["action"]): number for number in begun}
    latest = sorted(versions.values())[-VERSIONS:]
    others = set(numbers).difference(begun, done)
    return {*making[:1], *making[-1:], *made, *done[-1:], *latest, *others}
