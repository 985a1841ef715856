"""The languages of the pages, by the tables in `texts`.

A table is looked up by the text as it is written in the code, with its parameters in braces. A text that was
made elsewhere, such as a finding, is taken apart by the text it was made of; what was filled in is looked up
in turn. The English table has texts alone that speak of files and options elsewhere, and of a form here.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request

LANGUAGES: Final = {"en": "English", "ja": "日本語"}
"""Their names, each in itself."""
COOKIE: Final = "lab-language"
_TABLES: Final = Path(__file__).with_name("texts")
_ENGLISH: Final = "en"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_WEIGHT: Final = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
_OWN_WORDS: Final = frozenset(
    {"allowed", "better", "here", "instead", "key", "keys", "message", "needed", "other", "reason", "what"}
)
"""Parameters of texts that hold words of ours; the others hold names and values."""
_OPTIONAL: Final = re.compile(r" \((optional|省略可能)\)$")

Labels = Mapping[str, str]


def language_of(request: Request) -> str:
    """The language that was chosen in this browser, else the first that the browser asks for and we have."""
    chosen = request.cookies.get(COOKIE, "")
    wanted = [chosen, *_accepted(request.headers.get("accept-language", ""))]
    return next((name for name in wanted if name in LANGUAGES), _ENGLISH)


def _accepted(header: str) -> list[str]:
    """The primary subtags of Accept-Language, the most wanted first (RFC 9110, 12.5.4)."""
    weighted: list[tuple[float, str]] = []
    for item in header.split(","):
        tag, _, parameter = item.strip().partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip()) if parameter else None
        weighted.append((float(weight[1]) if weight else 1.0, tag.split("-")[0].lower()))
    return [tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight]


@cache
def table(language: str) -> Mapping[str, str]:
    """The texts of a language, by the text in the code."""
    files = sorted(_TABLES.glob(f"{language}*.toml"))
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]
    return {english: text for found in tables for english, text in found.items()}


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What recognizes a text in which parameters have been filled in; those with the most words first."""
    found = table(language)
    with_values = sorted((text for text in found if _PARAMETER.search(text)), key=len, reverse=True)
    return tuple((_pattern(text), found[text]) for text in with_values)


def _pattern(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for number, part in enumerate(_PARAMETER.split(text)):
        is_name = number % 2 == 1
        again = f"(?P={part})" if part in seen else f"(?P<{part}>.*)"
        parts.append(again if is_name else re.escape(part))
        seen |= {part} if is_name else set()
    return re.compile("".join(parts), re.DOTALL)


class Words:
    """Says texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, **values: object) -> str:
        """A text of ours in this language, its parameters filled in; as it is where it has no translation."""
        return table(self.language).get(text, text).format(**values) if values else self._said(text, {})

    def problem(self, sentences: Iterable[str], labels: Labels) -> str:
        """What a rule says, with the labels of the form's fields (in English, by name) for their names."""
        begin, close, end, gap = ("「", "」", "。", "") if self.language == "ja" else ("“", "”", ".", " ")
        shown = {name: f"{begin}{_OPTIONAL.sub('', self(label))}{close}" for name, label in labels.items()}
        said = [self._about_fields(text, shown) for text in sentences if text]
        return gap.join(text if text.endswith((".", "?", "。")) else text + end for text in said)

    def _about_fields(self, text: str, labels: Labels) -> str:
        said = self._said(text, labels)
        return _with_labels(said, labels) if said == text else said

    def _said(self, text: str, labels: Labels) -> str:
        found = table(self.language)
        if text in found:
            return found[text]
        for pattern, translation in _patterns(self.language):
            if match := pattern.fullmatch(text):
                values = {
                    name: self._filled(name, value, labels) for name, value in match.groupdict().items()
                }
                return translation.format(**values)
        return text

    def _filled(self, name: str, value: str, labels: Labels) -> str:
        """What was filled in, in this language where it is a word of ours: names stay as they are."""
        return labels.get(value) or table(self.language).get(value, value) if name in _OWN_WORDS else value


def _with_labels(text: str, labels: Labels) -> str:
    """A text in which names of fields are labels: one of a plain word only at the start, or in backticks."""
    for name in sorted(labels, key=len, reverse=True):
        begin = r"(?<![\w.-])" if "_" in name else r"(^|(?<=`))"
        label = labels[name].replace("\\", r"\\")
        text = re.sub(rf"{begin}{re.escape(name)}\b", label, text)
    return text
