"""Texts for people in their language: the one place where they are translated.

Everything below speaks English, and so do JSON, logs and the journal. What is shown to a person is looked up
in the gettext catalogues in `data/locale` by its English text; one with values is taken apart by the template
that it was made of, and phrases among the values are looked up in turn. What has no entry stays English.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from mstunnel_setup.base.text import Line, Verbatim, fold, padded, width

SPOKEN: Final = ("ja",)
"""The languages that have catalogues."""
_ENGLISH: Final = "en"
# Services write to logs, whatever the language of the host.
_FOR_PEOPLE: Final = frozenset({"mstunnel-setup", "mst-cli", "mst-readiness", "mst-admin", "mstunnel-lab"})
_ENTRY: Final = re.compile(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', re.MULTILINE)
PARAMETER: Final = re.compile(r"\{(\w+)(?:![rsa])?(?::[^{}]*)?\}")
"""A parameter of a text: its name, and perhaps its format."""
# How a parameter begins that follows another one; what ends a sentence, clause or column; what none contains.
_SUFFIX: Final = re.compile(r"[:;,] | \(")
_BETWEEN: Final = re.compile(r"(?<=[.?!]) (?=\S)|(?<=^[+>-]) |[:;] | (?=\([^()]*\)$)| {2,}")
_ASIDE: Final = re.compile(r"(?<=.)\([^()]*\)$", re.DOTALL)
_CLAUSES: Final = re.compile(r"[.?!:;] | {2}")
# Characters; a longer text is shown as it is, unless it is known as a whole.
_LONGEST: Final = 4000
_GAP: Final = "  "
# Letters: a template with fewer recognizes no text; one with the other number or more has a telling word.
_FEWEST: Final = 3
_TELLING: Final = 6
_selected = _ENGLISH


class Template(NamedTuple):
    """A text with parameters: what stands before, between and after them, their names, its translation."""

    literals: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    @property
    def letters(self) -> int:
        """How many letters stand between the parameters."""
        return sum(map(str.isalpha, "".join(self.literals)))

    def values(self, text: str) -> dict[str, str] | None:
        """What the parameters are in `text`; None where it was not made of this template."""
        first, *between, last = self.literals
        at, end = len(first), len(text) - len(last)
        if not (text.startswith(first) and text.endswith(last) and at <= end):
            return None
        found = []
        for number, literal in enumerate(between, 1):
            begin = text.find(literal, at, end) if literal else self._suffix(text, number, at, end)
            if begin < 0:
                return None
            found.append(text[at:begin])
            at = begin + len(literal)
        return dict(zip(self.names, [*found, text[at:end]], strict=True))

    def fits(self, values: Mapping[str, str], *, strict: bool) -> bool:
        """Whether these can be its values: several lines begin with one, and clauses are for others."""
        if strict and any(map(_CLAUSES.search, values.values())):
            return False
        lines = (value for value in values.values() if "\n" in value)
        return "\n" in "".join(self.literals) or all(value.startswith("\n") for value in lines)

    def _suffix(self, text: str, number: int, at: int, end: int) -> int:
        """Where a parameter begins that follows another one at once: with `: `, ` (` or the like."""
        following = next(filter(None, self.literals[number + 1 : -1]), "")
        limit = text.find(following, at, end) if following else end
        begins = _SUFFIX.search(text, at, limit)
        return begins.start() if begins else limit


class _Form:
    """The translations by one form of the English text."""

    def __init__(self, of: Callable[[str], str], texts: Mapping[str, str]) -> None:
        self.of = of
        self.texts = {of(text): translation for text, translation in texts.items()}
        made = (template(text, translation) for text, translation in self.texts.items())
        ordered = sorted(filter(tells, made), key=lambda item: -len("".join(item.literals)))
        self._templates = [(max(item.literals, key=len), item) for item in ordered]

    def made(self, text: str, *, strict: bool) -> Iterator[tuple[Template, Mapping[str, str]]]:
        """The templates that a text may be made of, those with the most words first, and its values."""
        if " " not in text:
            return
        key = self.of(text)
        for item in (item for longest, item in self._templates if longest in key):
            # A value at the beginning keeps its first letter.
            values = item.values(key if item.literals[0] else text[:1] + key[1:])
            if values is not None and item.fits(values, strict=strict):
                yield item, values


class Catalogue:
    """The translations of one language, by the English text."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        # A text as it is comes before one that differs in its first letter or its full stop.
        self._forms = [_Form(form, texts) for form in (str, _key)]

    def __call__(self, text: str) -> str:
        """The translation, that of each sentence, clause and column where the whole has none, else `text`."""
        found = self._found(text, strict="\n" not in text)
        if found is None and "\n" in text:
            return "\n".join(map(self, text.split("\n")))
        if found is not None or len(text) > _LONGEST:
            return text if found is None else found
        # What is in brackets at the end belongs together.
        aside = _ASIDE.search(text)
        breaks = [gap for gap in _BETWEEN.finditer(text) if aside is None or gap.end() <= aside.start()]
        for gap in reversed(breaks):
            if (said := self._found(text[: gap.start()])) is not None:
                return _with_gap(text[: gap.start()], said, gap[0]) + self(text[gap.end() :])
        if (found := self._found(text, strict=False)) is not None:
            return found
        end = breaks[0].end() if breaks else len(text)
        return text[:end] + (self(text[end:]) if breaks else "")

    def _found(self, text: str, *, strict: bool = True) -> str | None:
        """The translation of the whole; a `strict` one has no clauses among its values."""
        for form in self._forms:
            if (found := form.texts.get(form.of(text))) is not None:
                return _ended(found, text)
        for form in self._forms:
            for item, values in form.made(text, strict=strict):
                # One short word, such as "Use", also begins the sentences of others.
                if item.letters >= _TELLING or all(map(self._is_ours, values.values())):
                    said = {name: self._value(value) for name, value in values.items()}
                    return _ended(filled(item.translation, said), text)
        return None

    def _is_ours(self, value: str) -> bool:
        return " " not in value or self._found(value) is not None

    def _value(self, value: str) -> str:
        """A phrase in this language, with its indent; one word is a name or an identifier and stays."""
        bare = value.strip(" ")
        return value.replace(bare, self(bare), 1) if " " in bare else value


def template(text: str, translation: str = "") -> Template:
    """A text with parameters in braces, taken apart."""
    parts = PARAMETER.split(text)
    literals = tuple(part.replace("{{", "{").replace("}}", "}") for part in parts[::2])
    return Template(literals, tuple(parts[1::2]), translation)


def tells(item: Template) -> bool:
    """Whether enough stands between the parameters to recognize the text by."""
    return bool(item.names) and item.letters >= (_FEWEST if item.literals[0] else _TELLING - 1)


def filled(translation: str, values: Mapping[str, str]) -> str:
    """`translation` with its parameters replaced; they keep the format that they have in English."""
    return PARAMETER.sub(lambda found: values[found[1]], translation).replace("{{", "{").replace("}}", "}")


def _key(text: str) -> str:
    """Sentences are the same with and without a capital letter and a full stop; one word may be a name."""
    return text[:1].lower() + text[1:].removesuffix(".") if " " in text else text


def _ended(translation: str, text: str) -> str:
    """The translation with a full stop where the text has one; three dots are none."""
    return translation.removesuffix("。") + ("。" if text.endswith(".") and not text.endswith("..") else "")


def _with_gap(original: str, said: str, gap: str) -> str:
    """A part and what separates it from the next: nothing after 。, and as many blanks as fill a column."""
    if len(gap) > 1 and gap.isspace():
        return said + " " * max(len(_GAP), len(original) + len(gap) - width(said))
    return said if said.endswith("。") and gap == " " else said + gap


def language(environment: Mapping[str, str]) -> str:
    """The language that the environment asks for, as gettext reads it; English for one without catalogues."""
    locales = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, locales), "C")
    if _of(locale) in {"C", "POSIX"}:
        return _ENGLISH
    wanted = map(_of, (environment.get("LANGUAGE") or locale).split(":"))
    return next((name for name in wanted if name in (*SPOKEN, _ENGLISH)), _ENGLISH)


def _of(locale: str) -> str:
    return re.split("[_.@]", locale)[0]


def select(program: str, environment: Mapping[str, str]) -> None:
    """Speak the language of the environment from now on, where people run `program`."""
    global _selected  # noqa: PLW0603 (one process speaks one language)
    _selected = language(environment) if program in _FOR_PEOPLE else _ENGLISH


@cache
def catalogue(name: str) -> Catalogue:
    """The catalogue of a language."""
    return Catalogue(texts(name))


@cache
def texts(name: str) -> Mapping[str, str]:
    """What the catalogue files of a language translate."""
    folder = files("mstunnel_setup") / "data" / "locale" / name
    found: dict[str, str] = {}
    for file in folder.iterdir():
        for text, translation in _ENTRY.findall(file.read_text("utf-8")):
            found[_unquoted(text)] = _unquoted(translation)
    return {text: translation for text, translation in found.items() if text and translation}


def _unquoted(lines: str) -> str:
    return "".join(map(json.loads, lines.splitlines()))


def translated(text: str) -> str:
    """`text` in the selected language, with its indent."""
    if _selected == _ENGLISH or not text.strip():
        return text
    bare = text.strip(" ")
    return text.replace(bare, catalogue(_selected)(bare), 1)


def translated_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a result in the selected language; cells are laid out again, sentences are folded."""
    if _selected == _ENGLISH:
        yield from lines
        return
    rows: list[Line] = []
    for line in lines:
        if isinstance(line, Verbatim):
            yield from (*_table(rows), line)
            rows = []
            continue
        cells = line.cells if isinstance(line, Line) else (line,)
        if isinstance(line, Line) and len(cells) > 1:
            if rows and len(rows[0].cells) != len(cells):
                yield from _table(rows)
                rows = []
            rows.append(line)
        elif cells:
            yield from _table(rows)
            rows = []
            said = translated(cells[0])
            yield from [line] if said == line else fold(said)
    yield from _table(rows)


def _table(lines: Sequence[Line]) -> Iterator[str]:
    rows = [[translated(cell) for cell in line.cells] for line in lines]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for line, (*cells, last) in zip(lines, rows, strict=True):
        head = line[: line.find(line.cells[0])] + "".join(
            padded(cell, columns) + _GAP for cell, columns in zip(cells, widths, strict=False)
        )
        yield from (part.rstrip() for part in fold(head + last, width(head)))
