"""Recordings of a terminal: asciinema's file (version 2), and an animated picture of the same."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final, TypeAlias

import pyte
from jinja2 import Environment, StrictUndefined

Event: TypeAlias = tuple[float, str]
"""Seconds since any moment, and what the terminal showed then."""

# Seconds: a wait does not bore, what is read stays, and the last screen stays longer.
LONGEST_PAUSE: Final = 1.5
SHORTEST_FRAME: Final = 0.15
LAST_FRAME: Final = 5.0
CELL: Final = (8.4, 18)
"""Width and height of a character in pixels, at a font size of 14."""
_FULL_WIDTH: Final = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff60]+")
_TEMPLATE: Final = Path(__file__).with_name("recording.svg.j2")


@dataclass(frozen=True)
class Recording:
    """What a terminal of `columns` and `rows` showed."""

    columns: int
    rows: int
    events: Sequence[Event]

    def cast(self) -> str:
        """The file of asciinema: a header, then an event a line (docs.asciinema.org, asciicast v2)."""
        header = {"version": 2, "width": self.columns, "height": self.rows, "title": "mstunnel-setup"}
        lines = [header, *([round(time, 3), "o", text] for time, text in paced(self.events))]
        return "".join(f"{json.dumps(line)}\n" for line in lines)

    def svg(self) -> str:
        """The picture, which begins again at its end; lines that occur in several frames are there once."""
        frames = list(self._frames())
        lines = {
            line: number
            for number, line in enumerate(dict.fromkeys(row for _, rows in frames for row in rows))
        }
        length = frames[-1][0] + LAST_FRAME
        environment = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)
        return environment.from_string(_TEMPLATE.read_text()).render(
            width=round(self.columns * CELL[0] + 20),
            height=self.rows * CELL[1] + 20,
            row=CELL[1],
            length=round(length, 2),
            lines=[(number, line) for line, number in lines.items() if line],
            frames=[
                (
                    round(100 * time / length, 3),
                    [(place, lines[row]) for place, row in enumerate(rows, 1) if row],
                )
                for time, rows in frames
            ],
        )

    def _frames(self) -> Iterator[tuple[float, list[str]]]:
        """Screens as lines of SVG text, and when each begins; what is shown too shortly is left out."""
        screen = pyte.Screen(self.columns, self.rows)
        stream = pyte.Stream(screen)
        events = list(paced(self.events))
        shown: list[str] = []
        for (time, text), (then, _) in zip(
            events, [*events[1:], (events[-1][0] + LAST_FRAME, "")], strict=True
        ):
            stream.feed(text)
            if then - time >= SHORTEST_FRAME:
                rows = [_line(screen, number) for number in range(self.rows)]
                if rows != shown:
                    shown = rows
                    yield time, rows


def paced(events: Sequence[Event]) -> Iterator[Event]:
    """The events from time 0 on, with shortened pauses."""
    now, before = 0.0, events[0][0]
    for time, text in events:
        now += min(time - before, LONGEST_PAUSE)
        before = time
        yield now, text


def _line(screen: pyte.Screen, number: int) -> str:
    """A line of the screen as SVG: text, and bold text in `tspan`."""
    row = screen.buffer[number]
    # Behind a full-width character is a cell without any.
    cells = [row[column] for column in range(screen.columns) if row[column].data]
    parts, bold = [], False
    for cell in cells[: len("".join(cell.data for cell in cells).rstrip())]:
        if cell.bold != bold:
            parts.append("<tspan class='b'>" if cell.bold else "</tspan>")
            bold = cell.bold
        parts.append(escape(cell.data, quote=False))
    return _FULL_WIDTH.sub(_in_two_cells, "".join([*parts, "</tspan>" if bold else ""]))


def _in_two_cells(found: re.Match[str]) -> str:
    """Full-width characters, which not every font draws twice as wide as the others."""
    length = round(2 * CELL[0] * len(found[0]), 1)
    return f"<tspan textLength='{length}' lengthAdjust='spacingAndGlyphs'>{found[0]}</tspan>"
