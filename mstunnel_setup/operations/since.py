"""The values of `--since`: a time, or an age as the engines read it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import moment, whole_number
from mstunnel_setup.base.text import quoted

# Days and weeks are ours, the others those of Go (time.ParseDuration), which the engines are written in.
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)"
_AGE: Final = re.compile(f"(?:{_PART})+", re.ASCII)
_UNIX_DIGITS: Final = range(9, 12)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def since(text: str, now: datetime) -> datetime:
    """The time that `text` means at `now`.

    An age (`90m`, `1h30m`, `7d`), a time in ISO 8601 (in UTC unless it names an offset), or Unix seconds.
    Raises UsageError `since-invalid`, or `since-future` for a time after `now`.
    """
    found = _meant(text.strip(), now)
    if found is None:
        raise UsageError(
            "since-invalid",
            "{text} is neither a time nor an age",
            hint=(
                "Write a time as 2026-11-26T19:00 (UTC unless it names an offset), or an age as 90m, "
                "24h or 7d."
            ),
            text=quoted(text),
        )
    if found > now:
        raise UsageError(
            "since-future",
            "{text} is in the future",
            hint="Give a time that has passed, such as 24h.",
            text=quoted(text),
        )
    # Neither the journal nor the engines know earlier times.
    return max(found, _EPOCH)


def _meant(text: str, now: datetime) -> datetime | None:
    try:
        if _AGE.fullmatch(text):
            parts = re.findall(_PART, text)
            return now - timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
        seconds = whole_number(text, _UNIX_DIGITS.stop - 1) if len(text) in _UNIX_DIGITS else None
        return moment(text) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except OverflowError:
        return None
