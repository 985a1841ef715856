"""Text for people: sentences from templates, text from elsewhere made safe, and layout in 80 columns."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Final

WIDTH = 80
_LONGEST: Final = 400
_QUOTED: Final = 80
# Control characters, and the marks that reorder text on a terminal.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def sentence(template: str, values: Mapping[str, object]) -> str:
    """`template` with its parameters in braces replaced: the one place where texts get their values."""
    return template.format_map(values)


def printable(text: str) -> str:
    """`text` without what could move the cursor, recolour or reorder a terminal; newline and tab stay."""
    return _UNSAFE.sub("", text).encode("utf-8", errors="replace").decode("utf-8")


def plain(text: object, longest: int = _LONGEST) -> str:
    """Text from elsewhere on one line of at most `longest` characters, without any that are invisible.

    Blanks of all kinds, line ends among them, become one space.
    """
    line = " ".join("".join(filter(str.isprintable, " ".join(str(text).split()))).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def quoted(value: object) -> str:
    """An invalid value for a message: short, in quotes, with a mark in place of each invisible character."""
    text = str(value)
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_QUOTED])
    return f"“{shown}…”" if len(text) > _QUOTED else f"“{shown}”"


def fold(line: str) -> list[str]:
    """The line in pieces of at most WIDTH columns, indented below the first; words are never cut."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [line]


def fold_all(lines: Iterable[str]) -> list[str]:
    """Sentences, each folded; for results that people read, and no program: those have JSON."""
    return [part for line in lines for part in fold(line)]
