"""Secrets of a run: every text that leaves the program (output, log, console) is cleaned of them here."""

import base64
import json
import re
from typing import TypeAlias
from urllib.parse import quote, quote_plus

JsonValue: TypeAlias = "list[JsonValue] | dict[str, JsonValue] | str | bool | int | float | None"

_STARS = "********"
# A shorter secret would put stars into ordinary words; nothing of ours is that short.
_SHORTEST = 4
# Control characters, and the marks that reorder text on a terminal.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """`text` without what could move the cursor, recolour or reorder a terminal; newline and tab stay."""
    return _UNSAFE.sub("", text).encode("utf-8", errors="replace").decode("utf-8")


class Redactor:
    """Knows the secrets of this run and replaces them by stars wherever text leaves the program."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def register(self, value: str) -> None:
        """Never show `value`, nor its URL, JSON or Base64 form."""
        if len(value) >= _SHORTEST:
            encoded = base64.b64encode(value.encode()).decode()
            forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], encoded}
            self._forms = sorted({*self._forms, *forms}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """`text` with stars for secrets, and without control characters."""
        for form in self._forms:
            text = text.replace(form, _STARS)
        return printable(text)

    def clean_value(self, value: JsonValue) -> JsonValue:
        """A JSON value with every text in it cleaned."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_value(item) for item in value]
        if isinstance(value, dict):
            return {self.clean(name): self.clean_value(item) for name, item in value.items()}
        return value
