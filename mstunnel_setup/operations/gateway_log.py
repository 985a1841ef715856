"""The gateway's log since a moment, and the records of sessions in it (docs/reference/logs.md)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, cast

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import moment, whole_number
from mstunnel_setup.base.text import quoted
from mstunnel_setup.containers.engine import LogOptions

# Days and weeks are ours, the others those of Go (time.ParseDuration), which the engines are written in.
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)"
_AGE: Final = re.compile(f"(?:{_PART})+", re.ASCII)
_UNIX_DIGITS: Final = range(9, 12)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
Operation: TypeAlias = Literal["connect", "disconnect"]
_MARK: Final = "OCSERV_TELEMETRY"
_FIELDS: Final = {"connect": 9, "disconnect": 12}
# A counter of the kernel has 64 bits.
_DIGITS: Final = 20


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


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """A session that began or ended: `client` is the device's address outside, `assigned` inside the tunnel.

    `bytes_in` came from the device, `bytes_out` went to it; they and `seconds` are 0 when it begins.
    """

    operation: Operation
    client: str
    assigned: str
    user: str
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: int = 0


def log_since(ports: Host, since: datetime) -> Iterator[str]:
    """The lines, one at a time, however many there are. Raises SetupError when they cannot be had.

    The journal also has those of earlier containers, which the engine forgets with the container.
    """
    yield from ports.processes.lines(_command(ports, since))


def _command(ports: Host, since: datetime) -> Sequence[str]:
    if not ports.systemd.running():
        options = LogOptions(since=since.isoformat(timespec="seconds"))
        return ports.engine.logs_command(paths.SERVER, options)
    fixed = ("journalctl", "--quiet", "--no-pager", "--output=cat")
    return (*fixed, f"--identifier={paths.SERVER_TAG}", f"--since=@{int(since.timestamp())}")


def session_record(line: str) -> SessionRecord | None:
    """The record that a line is; None for all other lines."""
    if not line.startswith(f"{_MARK},"):
        return None
    fields = line.split(",")
    operation = fields[1]
    if len(fields) != _FIELDS.get(operation):
        return None
    bytes_in, bytes_out, seconds = (
        whole_number(field, _DIGITS) or 0 for field in (*fields[9:], "", "", "")[:3]
    )
    return SessionRecord(
        operation=cast("Operation", operation),
        client=fields[2],
        assigned=fields[5],
        user=fields[6],
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        seconds=seconds,
    )
