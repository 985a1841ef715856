"""Compaction: the records of a journal that its receipt needs.

They fold to the same receipt, without superseded versions of an object.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mstunnel_setup.base.values import JsonObject, as_list

VERSIONS = 4
"""How many versions of an object are kept, besides the one that made it."""


@dataclass
class _Needed:
    """The numbers of the needed records, collected record by record."""

    objects: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, int] = field(default_factory=dict)
    failure: int | None = None
    others: list[int] = field(default_factory=list)

    def take(self, number: int, record: JsonObject) -> None:
        """Add a record, and drop those that it supersedes."""
        kind, key = record["type"], record.get("key")
        if kind in ("undone", "taken-back", "released"):
            for gone in as_list(record.get("keys", [key])):
                self.objects.pop(str(gone), None)
        elif key is not None:
            self.objects[str(key)].append(number)
        elif kind == "step":
            self.steps.setdefault(str(record["step"]), number)
        elif kind != "failed":
            # The first record, and unknown kinds of newer versions.
            self.others.append(number)
        if kind == "undone":
            self.steps.clear()
        if kind in ("undone", "step", "failed"):
            self.failure = number if kind == "failed" else None


def essential(records: Sequence[JsonObject]) -> list[JsonObject]:
    """The records that the receipt needs, in order, renumbered from 1."""
    needed = _Needed()
    for number, record in enumerate(records):
        needed.take(number, record)
    kept = {*needed.others, *needed.steps.values()}
    kept.update(*(_of_object(numbers, records) for numbers in needed.objects.values()))
    if needed.failure is not None:
        kept.add(needed.failure)
    return [
        {**records[number], "sequence": sequence} for sequence, number in enumerate(sorted(kept), start=1)
    ]


def _of_object(numbers: Sequence[int], records: Sequence[JsonObject]) -> set[int]:
    """The records of one object that its entry in the receipt needs."""
    begun = [number for number in numbers if records[number]["type"] == "begin"]
    done = [number for number in numbers if records[number]["type"] == "done"]
    made = done[:1]
    # The records that made it hold the state before, and its age.
    making = [number for number in begun if not made or number < made[0]]
    versions = {json.dumps(records[number]["action"]): number for number in begun}
    latest = sorted(versions.values())[-VERSIONS:]
    others = set(numbers).difference(begun, done)
    return {*making[:1], *making[-1:], *made, *done[-1:], *latest, *others}
