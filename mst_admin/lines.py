"""Objects of the tenant as lines for people."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from mst_admin.change import Change, Wire
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, padded, plain, text, width

_WIDEST = 60
NOTHING = text("Nothing to change.")


def result_of(change: Change | None, data: Wire, warnings: tuple[Problem, ...] = ()) -> Result:
    """The result of a command that makes at most one change."""
    if change is None:
        return Result("unchanged", data, warnings, text=[NOTHING])
    return Result("changed", {**data, "change": change.document()}, warnings, text=list(change.lines()))


def table(rows: Sequence[Sequence[str]], head: Sequence[str], nothing: str) -> list[str]:
    """Rows in columns under a head; remote text loses its control characters."""
    if not rows:
        return [nothing]
    cells = [list(head), *([plain(cell, _WIDEST) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(head))]
    return [Line("  ".join(map(padded, row, widths)).rstrip(), *row) for row in cells]


def details(document: Wire) -> list[str]:
    """One line for every property that has a value."""
    longest = max(map(len, document), default=0)
    return [
        Line(f"{name:<{longest}}  {line}", name, line)
        for name, value in document.items()
        if (line := _words(value))
    ]


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            text("{name}: {item}", name=name, item=_words(item))
            for name, item in value.items()
            if item is not None
        )
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value)
    return "" if value is None else plain(value)


def ago(age: timedelta) -> str:
    """A length of time in its largest fitting unit."""
    seconds = int(age.total_seconds())
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
