"""The languages of the pages, by the tables in `texts`.

A table is looked up by the text as it is written in the code, with its parameters in braces. The English
table has texts alone that speak of files and options elsewhere, and of a form here.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request

from mstunnel_setup.base.text import Text

LANGUAGES: Final = {"en": "English", "ja": "日本語"}
"""Their names, each in itself."""
COOKIE: Final = "lab-language"
_TEXTS: Final = Path(__file__).with_name("texts")
_ENGLISH: Final = "en"
_WEIGHT: Final = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
_KEYS: Final = frozenset({"key", "keys", "needed", "instead"})
"""Parameters of rules that hold keys of declared objects."""
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
def _tables(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((_TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def table(language: str) -> Mapping[str, str]:
    """The texts of a language, by the text in the code."""
    return {english: said for found in _tables(language).values() for english, said in found.items()}


class PageLanguage:
    """Says texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, english: str, **values: object) -> str:
        """A text of ours in this language, its parameters filled in; as it is where it has no translation."""
        return self._said(Text(english, values) if values else english, {})

    def problem(self, sentences: Iterable[str], labels: Labels) -> str:
        """What a rule says, with the labels of the form's fields (in English, by name) for their names."""
        begin, close, end, gap = ("「", "」", "。", "") if self.language == "ja" else ("“", "”", ".", " ")
        shown = {name: f"{begin}{_OPTIONAL.sub('', self(label))}{close}" for name, label in labels.items()}
        said = []
        for sentence in filter(None, sentences):
            translated = self._said(sentence, shown)
            is_known = getattr(sentence, "template", sentence) in table(self.language)
            said.append(translated if is_known else _with_labels(translated, shown))
        return gap.join(text if text.endswith((".", "?", "。")) else text + end for text in said)

    def _said(self, english: str, labels: Labels) -> str:
        """A translation by the template of a text; values are translated that are texts themselves.

        Of other values only the words of rules are, such as those for keys: names stay as they are.
        """
        if not isinstance(english, Text) or english.values is None:
            return table(self.language).get(english, english)
        words = _tables(self.language)["rules"]
        filled: dict[str, object] = {}
        for name, value in english.values.items():
            if isinstance(value, Text):
                filled[name] = self._said(value, labels)
            elif isinstance(value, str):
                label = labels.get(value) if name in _KEYS else None
                filled[name] = label or words.get(value, value)
            else:
                filled[name] = value
        return table(self.language).get(english.template, english.template).format_map(filled)


def _with_labels(text: str, labels: Labels) -> str:
    """A text in which names of fields are labels: one of a plain word only at the start, or in backticks."""
    for name in sorted(labels, key=len, reverse=True):
        begin = r"(?<![\w.-])" if "_" in name else r"(^|(?<=`))"
        label = labels[name].replace("\\", r"\\")
        text = re.sub(rf"{begin}{re.escape(name)}\b", label, text)
    return text
