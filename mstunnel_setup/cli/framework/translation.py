"""Texts for people in their language, by gettext: the one place where they are translated.

Everything below speaks English, and so do JSON, logs and the journal. What is shown to a person is looked up
in `data/locale` by its template, its values that are texts too; what has no translation stays English.
"""

import gettext
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Final

from typing_extensions import override

from mstunnel_setup.base.text import Line, Text, Verbatim, fold, padded, width

LANGUAGES: Final = ("ja",)
"""The languages with a catalogue."""
DOMAIN: Final = "mstunnel"
LOCALE: Final = str(files("mstunnel_setup") / "data" / "locale")
_ENGLISH: Final = "en"
# Services are not among these: they write English logs.
_FOR_PEOPLE: Final = frozenset({"mstunnel-setup", "mst-cli", "mst-readiness", "mst-admin", "mstunnel-lab"})
_GAP: Final = "  "
_catalogue = gettext.NullTranslations()


def language(environment: Mapping[str, str]) -> str:
    """Return the language that the environment selects for gettext; English if it has no catalogue."""
    locales = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, locales), "C")
    if _language_code(locale) in {"C", "POSIX"}:
        return _ENGLISH
    wanted = map(_language_code, (environment.get("LANGUAGE") or locale).split(":"))
    return next((name for name in wanted if name in (*LANGUAGES, _ENGLISH)), _ENGLISH)


def _language_code(locale: str) -> str:
    return re.split("[_.@]", locale)[0]


def select(program: str, environment: Mapping[str, str]) -> None:
    """Select the language of the environment if people run `program`."""
    use(language(environment) if program in _FOR_PEOPLE else _ENGLISH)


def use(name: str) -> None:
    """Select the catalogue of a language."""
    global _catalogue  # noqa: PLW0603 (one process has one language)
    _catalogue = gettext.translation(DOMAIN, LOCALE, [name], fallback=True)


def translate_typer() -> None:
    """Translate the words that Typer adds to the help of options, by the functions of `gettext`."""
    if isinstance(_catalogue, gettext.GNUTranslations):
        gettext.bindtextdomain(DOMAIN, LOCALE)
        gettext.textdomain(DOMAIN)


def translated(text: str) -> str:
    """Return `text` in the selected language, with its indent."""
    template, values = (text.template, text.values) if isinstance(text, Text) else (text, None)
    bare = template.strip(" ")
    said = template.replace(bare, _catalogue.gettext(bare), 1) if bare else template
    if values is None:
        return said
    shown = {
        name: _Value(translated(value)) if isinstance(value, Text) else value
        for name, value in values.items()
    }
    return said.format_map(shown).replace("。 ", "。")


class _Value(str):
    """A translated value; `{name:12}` counts columns of the terminal, not characters."""

    __slots__ = ()

    @override
    def __format__(self, spec: str) -> str:
        return padded(self, int(spec)) if spec.isdigit() else super().__format__(spec)


def translated_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a result in the selected language, with columns aligned and sentences folded."""
    if not isinstance(_catalogue, gettext.GNUTranslations):
        yield from lines
        return
    # A continuation line has no cells: it is laid out with the line before.
    begun = (line for line in lines if not isinstance(line, Line) or line.cells)
    for columns, group in groupby(begun, _columns):
        if columns == 0:
            yield from group
        elif columns > 1:
            yield from _table([line for line in group if isinstance(line, Line)])
        else:
            for line in group:
                said = translated(line.cells[0] if isinstance(line, Line) else line)
                yield from [line] if said == line else fold(said)


def _columns(line: str) -> int:
    """Return the number of columns to align; 0 for a line that stays unchanged."""
    if isinstance(line, Verbatim):
        return 0
    return len(line.cells) if isinstance(line, Line) else 1


def _table(lines: Sequence[Line]) -> Iterator[str]:
    rows = [[translated(cell) for cell in line.cells] for line in lines]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for line, (*cells, last) in zip(lines, rows, strict=True):
        head = line[: line.find(line.cells[0])] + "".join(
            padded(cell, columns) + _GAP for cell, columns in zip(cells, widths, strict=False)
        )
        yield from (part.rstrip() for part in fold(head + last, width(head)))
