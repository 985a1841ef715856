"""Parsers for input from outside: they return a value or None, or raise ValueError, and nothing else.

All layers use this module; it imports only `base.text`.
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
    """Return the number in `text`, at most `digits` ASCII digits; None for anything else.

    `str.isdigit` also accepts `²`, and `int` raises for more than 4,300 digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def moment(text: str) -> datetime | None:
    """Return the ISO 8601 time in `text`, in UTC if it has no offset; None for anything else."""
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError:
        return None


def http_date(text: str) -> datetime | None:
    """Return the time of an HTTP date (RFC 9110, 5.6.7), which is in UTC; None for anything else."""
    try:
        return aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def aware(time: datetime) -> datetime:
    """Return `time` with an offset, UTC if it has none: naive and aware times cannot be compared."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def signed_number(text: str, digits: int = _DIGITS) -> int | None:
    """Return the number in `text` as `whole_number` does, but allow a minus sign."""
    number = whole_number(text.removeprefix("-"), digits)
    return -number if number is not None and text.startswith("-") else number


def json_value(
    content: str | bytes,
    *,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
    strict: bool = True,
) -> Any:
    """Return the value of a JSON text (RFC 8259); `pairs` and `strict` are passed to `json.loads`.

    Raises ValueError for anything else, including `NaN`, numbers of more than 20 digits, lone surrogates
    (which no file can hold) and excessive nesting.
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
    """Return the object in a JSON text; an empty one for invalid JSON or another type."""
    try:
        found = json_value(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def toml_table(text: str) -> dict[str, Any]:
    """Return the table of a TOML 1.0 text. Raises ValueError for anything else, as `json_value` does."""
    try:
        return tomllib.loads(text, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def is_text(text: str) -> bool:
    """Return whether an argument or variable is UTF-8: Python keeps other bytes as lone surrogates."""
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
    """Return the problem with a value, without the value's name: "must be a number".

    `item` is an entry of `errors()` of pydantic's ValidationError. Pydantic's own messages are written for
    programmers and are replaced; messages of our validators are kept.
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
            # A bound of a whole number is shown without decimals: 1.0 as 1.
            shown = f"{bound:g}" if isinstance(bound, float) else str(bound).replace("'", "`")
            return sentence(words, {"bound": shown})
    return _KINDS.get(kind.partition("_")[0], text("is not valid here"))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be used")
    return number
