"""What the rounds of a benchmark come to."""

import statistics
from collections.abc import Mapping, Sequence


def medians(found: Mapping[str, Sequence[float]], digits: int = 1) -> dict[str, float]:
    """The median of each."""
    return {name: round(statistics.median(values), digits) for name, values in found.items()}


def ratios(found: Mapping[str, float], base: Mapping[str, float]) -> dict[str, float]:
    """Each as a multiple of the same in `base`."""
    return {name: round(value / base[name], 2) for name, value in found.items()}
