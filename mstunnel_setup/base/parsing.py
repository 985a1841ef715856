"""Parsers for text that others wrote: they return a value, or None, or raise ValueError, and nothing else.

This module is part of the vocabulary of every layer and imports nothing of ours.
"""

import json
import math
import tomllib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

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
    # Every command would start later for it, and few of them need it.

    try:
        return aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def aware(time: datetime) -> datetime:
    """`time` with an offset: one that names none is in UTC. One without cannot be compared with ours."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def json_value(content: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259).

    Raises ValueError for anything else, also for `NaN`, numbers beyond those of a machine, lone surrogates
    (which no file can hold) and what is nested beyond reason.
    """
    try:
        found = json.loads(content, parse_constant=_finite, parse_float=_finite, parse_int=_machine_number)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if b"\\ud" in (content if isinstance(content, bytes) else content.encode()).lower():
        json.dumps(found, ensure_ascii=False).encode()
    return found


def toml_table(text: str) -> dict[str, Any]:
    """The table of a TOML 1.0 text. Raises ValueError for anything else, as `json_value` does."""
    try:
        return tomllib.loads(text, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be used")
    return number


def _machine_number(text: str) -> int:
    if len(text) > _DIGITS_OF_JSON:
        raise ValueError(f"a number of {len(text)} digits is too large")
    return int(text)
