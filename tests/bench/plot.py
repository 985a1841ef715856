"""The plot of what many devices carry together, and the table of it in docs/reference/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.error_codes import table as markdown
from tests.bench.plain_ocserv import TITLES

PICTURE: Final = Path("docs/images/sessions.svg")
_WIDTH, _HEIGHT, _MARGIN = 330, 180, 45
_TITLES: Final = {"up": "Upload", "down": "Download"}
_COLORS: Final = {"gateway": "#0b6bcb", "podman-run": "#3a7d34", "host": "#8a6d3b"}
Curves = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""By server, direction and number of devices: `megabits` and `busy_percent`."""


def section(curves: Curves) -> str:
    """The picture, and a table with a row for each number of devices."""
    sides = [(way, name) for way in _TITLES for name in TITLES]
    heads = [f"{_TITLES[way]}, {TITLES[name]}" for way, name in sides]
    rows = [
        [count, *(_cell(curves[name][way][count]) for way, name in sides)]
        for count in curves["gateway"]["up"]
    ]
    image = f"![Throughput and processor time by the number of devices](../images/{PICTURE.name})"
    return f"{image}\n\n{markdown(('Devices', *heads), rows)}\n"


def _cell(point: Mapping[str, float]) -> str:
    return f"{point['megabits']:.0f} Mbit/s, {point['busy_percent']:.0f} %"


def picture(curves: Curves) -> str:
    """An SVG: for each direction Mbit/s (lines) and busy percent (dashes) by the number of devices."""
    points = [point for found in curves.values() for curve in found.values() for point in curve.values()]
    highest = max(point["megabits"] for point in points)
    panels = "".join(
        _panel(_TITLES[way], number, {name: curves[name][way] for name in TITLES}, highest)
        for number, way in enumerate(_TITLES)
    )
    width, height = 2 * (_WIDTH + 2 * _MARGIN), _HEIGHT + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{panels}</svg>\n'
    )


@dataclass(frozen=True)
class _Axes:
    """Where a point of a panel is: numbers of devices at equal distances, values from 0 to `highest`."""

    left: int
    counts: Sequence[str]

    def line(self, values: Sequence[float], highest: float, style: str) -> str:
        """A line through the values."""
        places = " ".join(
            f"{self.x(number):.0f},{_MARGIN + _HEIGHT * (1 - value / highest):.0f}"
            for number, value in enumerate(values)
        )
        return f'<polyline points="{places}" fill="none" stroke-width="2" {style}/>\n'

    def x(self, number: int) -> float:
        """The place of a number of devices."""
        return self.left + _WIDTH * number / max(1, len(self.counts) - 1)


def _panel(title: str, number: int, curves: Mapping[str, Mapping[str, Any]], highest: float) -> str:
    """One direction: the axes, then two lines for each server."""
    axes = _Axes(number * (_WIDTH + 2 * _MARGIN) + _MARGIN, list(curves["gateway"]))
    bottom, right = _MARGIN + _HEIGHT, axes.left + _WIDTH
    frame = f'x="{axes.left}" y="{_MARGIN}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<rect {frame} fill="none" stroke="#999"/>\n',
        _text(
            axes.left,
            _MARGIN - 30,
            f"{title} by number of devices: Mbit/s, and busy percent (dashed)",
            "start",
        ),
        *(_text(axes.x(place), bottom + 15, count) for place, count in enumerate(axes.counts)),
        *(
            _text(axes.left - 5, bottom - _HEIGHT * part, f"{highest * part:.0f}", "end")
            for part in (0, 0.5, 1)
        ),
        *(_text(right + 5, bottom - _HEIGHT * part, f"{100 * part:.0f} %", "start") for part in (0, 0.5, 1)),
    ]
    for row, (name, curve) in enumerate(curves.items()):
        color = f'stroke="{_COLORS[name]}"'
        parts.append(axes.line([point["megabits"] for point in curve.values()], highest, color))
        busy = [point["busy_percent"] for point in curve.values()]
        parts.append(axes.line(busy, 100, f'{color} stroke-dasharray="4 4"'))
        parts.append(_text(axes.left + 90 * row, _MARGIN - 14, name, "start", _COLORS[name]))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str = "middle", color: str = "#333") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{text}</text>\n'
