"""What a benchmark has to reach, and the tables of it in docs/reference/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.error_codes import with_tables

PAGE = Path("docs/reference/benchmarks.md")
_HEAD = "| What | Measured | Limit | |\n| --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Bar:
    """A figure and its limit, in the same unit; with `at_least` more is better."""

    what: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def row(self) -> str:
        """As a row of the table."""
        word, unit = "at least" if self.at_least else "at most", f" {self.unit}" if self.unit else ""
        end = "" if self.met else "missed"
        return f"| {self.what} | {self.measured:g}{unit} | {word} {self.limit:g}{unit} | {end} |\n"


def bars(*found: Bar) -> dict[str, Any]:
    """What a benchmark reports of them."""
    return {"bars": [asdict(bar) for bar in found], "within_limit": all(bar.met for bar in found)}


def write_tables(figures: Sequence[dict[str, Any]], others: Mapping[str, str], page: Path = PAGE) -> None:
    """Replace the table of limits by the bars of these benchmarks, and `others` by their names."""
    rows = "".join(Bar(**bar).row for found in figures for bar in found.get("bars", ()))
    page.write_text(with_tables(page.read_text(), {"bench": f"{_HEAD}{rows}", **others}))
