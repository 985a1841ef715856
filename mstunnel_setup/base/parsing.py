"""Parsers for text that others wrote: they return a value, or None, or raise ValueError, and nothing else.

This module is part of the vocabulary of every layer and imports nothing of ours.
"""

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from mstunnel_setup.base.text import Text, sentence, text

_DIGITS: Final = 9
_DIGITS_OF_JSON: Final = 20


def whole_number(text: str, digits: int = _DIGITS) -> int | None:
    """The number that `text` is in ASCII digits, at most so many; None for anything else.

    `str.isdigit` also takes `²`, and `int` raises for more than 4,300 digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def moment(text: str) -> datetime | None:
    """The time that `text` is in ISO 8601, in UTC where it names no offset; None for anything else."""
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        return None


def http_date(text: str) -> datetime | None:
    """The time in a date of HTTP (RFC 9110, 5.6.7), which is in UTC; None for anything else."""
    try:
        return aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def aware(time: datetime) -> datetime:
    """`time` with an offset: one that names none is in UTC. One without cannot be compared with ours."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def signed_number(text: str, digits: int = _DIGITS) -> int | None:
    """As `whole_number`, of a number that may be negative."""
    number = whole_number(text.removeprefix("-"), digits)
    return -number if number is not None and text.startswith("-") else number


def json_value(
    content: str | bytes,
    *,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
    strict: bool = True,
) -> Any:
    """The value of a JSON text (RFC 8259); `pairs` and `strict` mean what they mean to `json.loads`.

    Raises ValueError for anything else, also for `NaN`, numbers beyond those of a machine, lone surrogates
    (which no file can hold) and what is nested beyond reason.
    """

    def machine_number(text: str) -> int:
        digits = len(text.removeprefix("-"))
        if digits > _DIGITS_OF_JSON:
            raise ValueError(f"a number of {digits} digits is too large")
        return int(text)

    try:
        found = json.loads(
            content,
            object_pairs_hook=pairs,
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=machine_number,
            strict=strict,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if b"\\ud" in (content if isinstance(content, bytes) else content.encode()).lower():
        json.dumps(found, ensure_ascii=False).encode()
    return found


def json_object(content: str | bytes) -> dict[str, Any]:
    """The object of a JSON text; empty where it is no JSON, or no object."""
    try:
        found = json_value(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def toml_table(text: str) -> dict[str, Any]:
    """The table of a TOML 1.0 text. Raises ValueError for anything else, as `json_value` does."""
    try:
        return tomllib.loads(text, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def is_text(text: str) -> bool:
    """Whether an argument or a variable is UTF-8: Python keeps other bytes as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_KINDS: Final = {
    "bool": text("must be true or false"),
    "date": text("must be a date such as 2026-05-01"),
    "datetime": text("must be a time such as 2026-05-01T12:00:00Z"),
    "dict": text("must have keys and values"),
    "extra": text("is not known"),
    "float": text("must be a number"),
    "int": text("must be a whole number"),
    "ip": text("must be an IP address"),
    "json": text("must be JSON"),
    "list": text("must be a list"),
    "missing": text("is missing"),
    "model": text("must have keys and values"),
    "string": text("must be text"),
    "timezone": text("must be a time with its offset from UTC"),
    "tuple": text("must be a list"),
}
_BOUNDS: Final = {
    "ge": text("must be {bound} or more"),
    "gt": text("must be more than {bound}"),
    "le": text("must be {bound} or less"),
    "lt": text("must be less than {bound}"),
    "min_length": text("must have a length of at least {bound}"),
    "max_length": text("must have a length of at most {bound}"),
    "pattern": text("must match {bound}"),
    "expected": text("must be {bound}"),
}


def problem_of(item: Mapping[str, Any]) -> str:
    """What is wrong with a value, without its name: "must be a number".

    `item` is an entry of `errors()` of pydantic's ValidationError, whose words are for programmers. Those of
    our own validators are kept.
    """
    kind, context = str(item["type"]), item.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        if "error" not in context:
            return str(item["msg"]).partition(", ")[2]
        error = context["error"]
        words = error.args[0] if isinstance(error, Exception) and error.args else ""
        return words if isinstance(words, Text) else str(error)
    for name, words in _BOUNDS.items():
        if name in context:
            bound = context[name]
            # A whole number has no decimals: 1.0 is 1.
            shown = f"{bound:g}" if isinstance(bound, float) else str(bound).replace("'", "`")
            return sentence(words, {"bound": shown})
    return _KINDS.get(kind.partition("_")[0], text("is not valid here"))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be used")
    return number
