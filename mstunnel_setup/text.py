"""Text for people: sentences from templates, and their layout in at most 80 columns."""

import textwrap
from collections.abc import Iterable, Mapping

WIDTH = 80


def sentence(template: str, values: Mapping[str, object]) -> str:
    """`template` with its parameters in braces replaced: the one place where texts get their values."""
    return template.format_map(values)


def fold(line: str) -> list[str]:
    """The line in pieces of at most WIDTH columns, indented below the first; words are never cut."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [line]


def fold_all(lines: Iterable[str]) -> list[str]:
    """Sentences, each folded; for results that people read, and no program: those have JSON."""
    return [part for line in lines for part in fold(line)]
