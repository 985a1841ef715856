"""Charts as SVG: coordinates computed here, drawn by a template, no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mst_admin.metrics import HealthMetric
from mstunnel_lab.trends import Point

WIDTH: Final = 640
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 28
_STEPS: Final = 4
_TIMES: Final = 3


@dataclass(frozen=True)
class Mark:
    """A label at a place of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One line over time, with the values as rows for those who do not see it."""

    name: str
    title: str
    unit: str
    summary: str
    line: str
    dots: tuple[tuple[float, float], ...]
    values: tuple[Mark, ...]
    times: tuple[Mark, ...]
    rows: tuple[tuple[str, str], ...]


def chart(metric: HealthMetric, points: Sequence[Point], start: float, end: float) -> Chart:
    """Draw the points of a metric over [start, end] (Unix times)."""
    top = _ceiling(max((point.value for point in points), default=0))
    dots = tuple((_x(point.at, start, end), _y(point.value, top)) for point in points)
    steps = (top * step / _STEPS for step in range(_STEPS + 1))
    moments = (start + (end - start) * step / _TIMES for step in range(_TIMES + 1))
    return Chart(
        metric.name,
        metric.title,
        metric.unit,
        _summary(points, metric.unit),
        " ".join(f"{x},{y}" for x, y in dots),
        dots,
        tuple(Mark(_y(value, top), f"{value:g}") for value in steps),
        tuple(Mark(_x(moment, start, end), _time(moment)) for moment in moments),
        tuple((_time(point.at), f"{point.value:.1f}") for point in points),
    )


def _ceiling(value: float) -> float:
    """Return a round number that is not below the value: 1, 2 or 5 with zeros, and at least 4."""
    size = 1.0
    while True:
        for digit in (1, 2, 4, 5, 8):
            if digit * size >= max(value, _STEPS):
                return digit * size
        size *= 10


def _x(at: float, start: float, end: float) -> float:
    return round(_LEFT + (at - start) / (end - start) * (WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM), 1)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M")


def _summary(points: Sequence[Point], unit: str) -> str:
    if not points:
        return "Nothing was reported in this time."
    values = [point.value for point in points]
    low, high, last = (f"{number:.0f} {unit}".strip() for number in (min(values), max(values), values[-1]))
    return f"Lowest {low}, highest {high}, last {last}."
