"""What the rounds of a benchmark come to."""

import statistics
from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def ratios(found: Sequence[float], base: Sequence[float]) -> tuple[float, ...]:
    """Each round as a multiple of the same round in `base`: what slows a machine for a while slows both."""
    return tuple(round(value / other, 3) for value, other in zip(found, base, strict=True))


def rotated(items: Sequence[_Item], number: int) -> Sequence[_Item]:
    """The items in the order of round `number`: each round begins with another one."""
    first = number % len(items)
    return [*items[first:], *items[:first]]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of them do not exceed, between two of them in proportion."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if values[1:] else values[0]


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Mean, median, 90th percentile and range."""
    found = {
        "mean": statistics.mean(values),
        "median": statistics.median(values),
        "percentile_90": percentile(values, 90),
        "least": min(values),
        "most": max(values),
    }
    return {name: round(value, digits) for name, value in found.items()}
