"""What a benchmark has to reach, and the tables of it in the documentation."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.docs.error_codes import with_tables
from tests.bench.rounds import percentile

PAGE = Path("docs/evidence/benchmarks.md")
_HEAD = "| What | Median | Range | 90 % | Limit | |\n| --- | --- | --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Bar:
    """A figure and its limit, in the same unit; with `at_least` more is better.

    `least` and `most` are the range of its rounds, and nine of ten rounds are at least as good as `ninety`.
    """

    what: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False
    least: float | None = None
    most: float | None = None
    ninety: float | None = None

    @property
    def met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def row(self) -> str:
        """As a row of the table."""
        word, unit = "at least" if self.at_least else "at most", f" {self.unit}" if self.unit else ""
        end = "" if self.met else "missed"
        spread = ["", ""] if self.ninety is None else [f"{self.least:g} to {self.most:g}", f"{self.ninety:g}"]
        cells = [self.what, f"{self.measured:g}{unit}", *spread, f"{word} {self.limit:g}{unit}", end]
        return f"| {' | '.join(cells)} |\n"


def bar_of(
    what: str,
    rounds: Sequence[float],
    limit: float,
    unit: str = "",
    *,
    at_least: bool = False,
    digits: int = 2,
) -> Bar:
    """The median of several rounds, with their spread."""
    ninety = percentile(rounds, 10 if at_least else 90)
    values = (min(rounds), max(rounds), ninety)
    least, most, ninety = (round(value, digits) for value in values)
    measured = round(statistics.median(rounds), digits)
    return Bar(what, measured, limit, unit, at_least, least, most, ninety)


def bars(*found: Bar) -> dict[str, Any]:
    """What a benchmark reports of them."""
    return {"bars": [asdict(bar) for bar in found], "within_limit": all(bar.met for bar in found)}


def write_tables(figures: Sequence[dict[str, Any]], others: Mapping[str, str], page: Path = PAGE) -> None:
    """Replace the table of limits by the bars of these benchmarks, and `others` by their names."""
    rows = "".join(Bar(**bar).row for found in figures for bar in found.get("bars", ()))
    page.write_text(with_tables(page.read_text(), {"bench": f"{_HEAD}{rows}", **others}))
