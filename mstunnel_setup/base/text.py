"""Text for people: sentences from templates, sanitized input, and layout in 80 columns."""

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final, Self

WIDTH = 80
_LONGEST: Final = 400
_QUOTED: Final = 80
# Control characters, and the marks that reorder text on a terminal.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS: Final = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# Wide characters, between which a line may end; opening brackets, which stay with the next character; and
# characters that never begin a line: small kana, the long vowel mark, closing brackets and punctuation (JIS X
# 4051).
_WIDE: Final = "\u2e80-\u303f\u3041-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\uffe0-\uffe6"
_OPENING: Final = "\u3008\u300a\u300c\u300e\u3010\u3014\uff08\uff3b"
_NOT_FIRST: Final = (
    "\u3001\u3002\u3005\u3009\u300b\u300d\u300f\u3011\u3015\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\uff3d"
    "\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30fc"
)
_PIECE: Final = re.compile(rf" +|[({_OPENING}]*(?:[{_WIDE}]|[^ {_WIDE}]+)[]),.:;!?{_NOT_FIRST}]*")


class Line(str):
    """A laid-out line for people, and its `cells`.

    One cell is a sentence, several are columns; a line without cells continues the line before. A translation
    lays the cells out again.
    """

    __slots__ = ("cells",)
    cells: tuple[str, ...]

    def __new__(cls, shown: str, *cells: object) -> Self:
        """Create the line `shown` and keep its cells."""
        line = super().__new__(cls, shown)
        line.cells = tuple(cell if isinstance(cell, str) else str(cell) for cell in cells)
        return line


class Verbatim(str):
    """A line that is not translated: from a file, from another program or for a program."""

    __slots__ = ()


def verbatim(text: str) -> list[str]:
    """Return the lines of a text that is not translated."""
    return [Verbatim(line) for line in text.splitlines()]


class Text(str):
    """An English text for people, with its template and values.

    The renderer translates the template, and values that are texts themselves. If `values` is None, the
    template is used unchanged.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object] | None

    def __new__(cls, template: str, values: Mapping[str, object] | None = None) -> Self:
        """Fill in the values."""
        made = super().__new__(cls, template if values is None else template.format_map(_english(values)))
        made.template, made.values = template, values
        return made


def _english(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values for the English text; an f-string would lose the translation here."""
    return {name: str(value) if isinstance(value, Text) else value for name, value in values.items()}


def text(template: str, /, **values: object) -> str:
    """Return a text for a person: `text("{path} already exists", path=path)`.

    Translations are extracted from these calls, so the template must be a literal.
    """
    return sentence(template, values)


def joined(parts: Iterable[str], separator: str = " ") -> str:
    """Return several texts as one; each is translated separately."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Text(separator.join(f"{{{name}}}" for name in values), values)


def with_hint(message: str, hint: str) -> str:
    """Return a message and its hint as two sentences."""
    return (
        text("{message}. {hint}", message=message, hint=hint) if hint else text("{message}.", message=message)
    )


def sentence(template: str, values: Mapping[str, object]) -> str:
    """Return `template` with its parameters in braces replaced; without values it is used unchanged."""
    if isinstance(template, Text) and not values:
        return template
    return Text(template, values or None)


def printable(text: str) -> str:
    """Remove what could move the cursor, recolour or reorder a terminal; keep newline and tab."""
    return _UNSAFE.sub("", text).encode("utf-8", errors="replace").decode("utf-8")


def plain(text: object, longest: int = _LONGEST) -> str:
    """Return input from outside on one line of at most `longest` characters, without invisible ones.

    Runs of white space, including line ends, become one space.
    """
    line = " ".join("".join(filter(str.isprintable, " ".join(str(text).split()))).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def one_line(text: str) -> str:
    """Return `text` with a space for every line end and tab, so that a name cannot add a line to a prompt."""
    return _LINE_ENDS.sub(" ", text)


def ago(age: timedelta) -> str:
    """Return a duration in its largest fitting unit."""
    seconds = int(age.total_seconds())
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def quoted(value: object) -> str:
    """Return an invalid value for a message: cut, quoted, with a mark for each invisible character."""
    text = str(value)
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_QUOTED])
    return f"“{shown}…”" if len(text) > _QUOTED else f"“{shown}”"


def width(text: str) -> int:
    """Return the terminal columns of `text`: two for a full-width character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def padded(text: str, columns: int) -> str:
    """Return `text` padded with blanks to `columns`."""
    return str(text) + " " * (columns - width(text))


def fold(line: str, hanging: int | None = None) -> list[str]:
    """Return the line in pieces of at most WIDTH columns; words are never cut.

    `hanging` is the indent of all pieces but the first, by default two more than the line's.
    """
    own = len(line) - len(line.lstrip(" "))
    indent = " " * (own + 2 if hanging is None else hanging)
    if width(line) != len(line):
        return list(_folded_between_characters(line, indent))
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [line]


def _folded_between_characters(line: str, indent: str) -> Iterator[str]:
    """Fold text that has no blanks between its words, as `fold` does."""
    begun = ""
    for piece in _PIECE.findall(line):
        if begun.strip() and width(begun) + width(piece.rstrip(" ")) > WIDTH:
            yield begun.rstrip(" ")
            begun = indent + piece.lstrip(" ")
        else:
            begun += piece
    yield begun


def fold_all(lines: Iterable[str]) -> list[str]:
    """Return sentences, each folded, for results that people read; programs read JSON."""
    return [part for line in lines for part in folded(fold(line), line)]


def folded(parts: Iterable[str], *cells: object) -> list[str]:
    """Return the parts of a folded line; the first one keeps the line's cells."""
    first, *others = parts
    return [Line(first, *cells), *map(Line, others)]
