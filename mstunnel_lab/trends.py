"""What servers reported about their health over time: averages over blocks, as the admin center shows them.

Source of the blocks of three hours: docs/reference/lab.md (monitoring).
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from mstunnel_lab.store import Store

_BLOCKS_KEPT: Final = 8 * 30


class Point(NamedTuple):
    """The average of a metric over the block that begins at `at` (Unix time)."""

    at: int
    value: float


def add(store: Store, server: str, metrics: Mapping[str, int], at: float, block: int) -> None:
    """Add what a server reported at a Unix time to the averages of its block of `block` seconds."""
    begin = int(at // block) * block
    present = store.trend(server, begin, begin)
    sums = json.loads(present[begin]) if present else {}
    for name, value in metrics.items():
        total, count = sums.get(name, (0, 0))
        sums[name] = (total + value, count + 1)
    store.execute(
        "INSERT OR REPLACE INTO trend (server, begin, body) VALUES (?, ?, ?)",
        (server, begin, json.dumps(sums)),
    )
    if not present:
        store.execute(
            "DELETE FROM trend WHERE server = ? AND begin < ?", (server, begin - block * _BLOCKS_KEPT)
        )


def points(store: Store, server: str, metric: str, start: float, end: float) -> tuple[Point, ...]:
    """Return the averages of a metric whose blocks begin in [start, end], oldest first."""
    sums = [(begin, json.loads(body).get(metric)) for begin, body in store.trend(server, start, end).items()]
    return tuple(Point(begin, found[0] / found[1]) for begin, found in sums if found)


def forget(store: Store, server: str) -> None:
    """Remove everything a server reported."""
    store.execute("DELETE FROM trend WHERE server = ?", (server,))
