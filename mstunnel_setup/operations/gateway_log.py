"""The gateway's log: its session records (docs/reference/logs.md) and `mst-cli server report`."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import moment, whole_number
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import Line, plain, quoted, text
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.systemd import trusted_writers

# Days and weeks are this program's addition; the other units are Go's (time.ParseDuration), which the engines
# use.
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)"
_AGE: Final = re.compile(f"(?:{_PART})+", re.ASCII)
_UNIX_DIGITS: Final = range(9, 12)
Operation: TypeAlias = Literal["connect", "disconnect"]
_FIELDS: Final = {"connect": 9, "disconnect": 12}
# A kernel counter has 64 bits, which is at most 20 digits.
_DIGITS: Final = 20


def since(text: str, now: datetime) -> datetime:
    """Return the time that `text` means at `now`.

    Accepts an age (`90m`, `1h30m`, `7d`), a time in ISO 8601 (UTC unless it names an offset), or Unix
    seconds. Raises UsageError `since-invalid`, or `since-future` for a time after `now`.
    """
    given, found = text.strip(), None
    with suppress(OverflowError):
        if _AGE.fullmatch(given):
            age = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, given))
            found = now - timedelta(seconds=age)
        else:
            unix = whole_number(given, _UNIX_DIGITS.stop - 1) if len(given) in _UNIX_DIGITS else None
            found = moment(given) if unix is None else datetime.fromtimestamp(unix, UTC)
    if found is None:
        raise UsageError(
            "since-invalid",
            "{text} is neither a time nor an age",
            hint="Write a time as 2026-11-26T19:00 (UTC unless it names an offset), or an age as 90m, "
            "24h or 7d.",
            text=quoted(text),
        )
    if found > now:
        raise UsageError(
            "since-future",
            "{text} is in the future",
            hint="Give a time that has passed, such as 24h.",
            text=quoted(text),
        )
    # The journal and the engines accept no time before 1970.
    return max(found, datetime.fromtimestamp(0, UTC))


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """Start or end of a session: `client` is the device's public address, `assigned` its tunnel address.

    `bytes_in` came from the device, `bytes_out` went to it; they and `seconds` are 0 at the start.
    """

    operation: Operation
    client: str
    assigned: str
    user: str
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: int = 0


def log_since(host: GatewayHost, since: datetime) -> Iterator[str]:
    """Yield the log's lines one at a time. Raises SetupError if the log cannot be read.

    The journal also has the lines of earlier containers, which the engine deletes with the container.
    """
    fixed = ("journalctl", "--quiet", "--no-pager", "--output=cat")
    command: tuple[str, ...] = (
        *fixed,
        f"--identifier={paths.SERVER_TAG}",
        *trusted_writers(),
        f"--since=@{int(since.timestamp())}",
    )
    if not host.systemd.running():
        options = LogOptions(since=since.isoformat(timespec="seconds"))
        command = host.engine.logs_command(paths.SERVER, options)
    yield from host.processes.lines(command)


def session_record(line: str) -> SessionRecord | None:
    """Return the session record in a line; None for all other lines."""
    fields = line.split(",")
    if fields[0] != "OCSERV_TELEMETRY" or len(fields) != _FIELDS.get("".join(fields[1:2])):
        return None
    counters = (*fields[9:], "", "", "")[:3]
    bytes_in, bytes_out, seconds = (whole_number(field, _DIGITS) or 0 for field in counters)
    return SessionRecord(
        operation=cast("Operation", fields[1]),
        client=fields[2],
        assigned=fields[5],
        user=fields[6],
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        seconds=seconds,
    )


MOST_USERS: Final = 50_000
_TABLE: Final = "{:36} {:>5} {:>7} {:>6} {:>6} {}"
_USER_WIDTH: Final = 36
_CLIENT_WIDTH: Final = 15
_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")
_THOUSAND: Final = 1000
_TEN: Final = 10


@dataclass
class Total:
    """Usage of one user or of all; seconds and bytes count sessions that have ended."""

    sessions: int = 0
    open: Annotated[int, Field(description="Sessions whose end is not in the log.")] = 0
    seconds: Annotated[int, Field(description="Duration and bytes count ended sessions only.")] = 0
    bytes_in: Annotated[int, Field(description="From devices.")] = 0
    bytes_out: Annotated[int, Field(description="To devices.")] = 0


@dataclass
class Usage(Total):
    """Usage of one user, with the address seen last."""

    user: Annotated[str, Field(description="Object id in Microsoft Entra.")] = ""
    client: Annotated[str, Field(description="The address outside that was seen last.")] = ""


class UsageReport(Report):
    """Sessions, time and traffic of each user, from the records in the server's log."""

    since: Moment
    until: Moment
    users: tuple[Usage, ...] = Field(description="The most traffic first.")
    total: Total


def usage_of(lines: Iterable[str]) -> tuple[dict[str, Usage], int]:
    """Add up the session records of a log by user; return the totals and the number of omitted records.

    Records of users beyond the first MOST_USERS are omitted. Memory grows with users and tunnel addresses,
    not with records.
    """
    users: dict[str, Usage] = {}
    holders: dict[str, str] = {}
    left_out = 0
    for record in filter(None, map(session_record, lines)):
        if record.user not in users and len(users) >= MOST_USERS:
            left_out += 1
            continue
        usage = users.setdefault(record.user, Usage(user=record.user))
        usage.client = record.client
        holder = holders.pop(record.assigned, None)
        if holder is not None:
            users[holder].open -= 1
        if record.operation == "connect":
            holders[record.assigned] = record.user
            usage.sessions += 1
            usage.open += 1
        else:
            # A session whose start is not in this log began before it.
            usage.sessions += holder != record.user
            usage.seconds += record.seconds
            usage.bytes_in += record.bytes_in
            usage.bytes_out += record.bytes_out
    return users, left_out


def report(operator: Operator, age: str) -> Result[UsageReport]:
    """Report each user's traffic since a time or an age, the most traffic first.

    Raises UsageError for an invalid time, and if nothing is installed.
    """
    now = operator.clock.now()
    begin = since(age, now)
    with open_gateway(operator) as host:
        by_user, left_out = usage_of(log_since(host, begin))
    users = sorted(by_user.values(), key=lambda usage: -(usage.bytes_in + usage.bytes_out))
    sums = {item.name: sum(getattr(usage, item.name) for usage in users) for item in fields(Total)}
    total = Total(**sums)
    found = UsageReport(
        since=begin.isoformat(timespec="seconds"),
        until=now.isoformat(timespec="seconds"),
        users=tuple(users),
        total=total,
    )
    truncated = warning(
        "report-truncated",
        "the log names more than {limit} users; {records} records of others are left out",
        hint="Report a shorter time, with a later --since.",
        limit=MOST_USERS,
        records=left_out,
    )
    warnings = (truncated,) if left_out else ()
    head = (text("User"), text("Sess."), text("Time"), text("In"), text("Out"), text("Last address"))
    lines: list[str] = [Line(_TABLE.format(*map(str, head)), *head)]
    for usage in users:
        lines += _row(plain(usage.user, _USER_WIDTH), usage, plain(usage.client))
    summary = text("Users since {begin:%Y-%m-%d %H:%M} UTC: {ordered}", begin=begin, ordered=len(users))
    lines += _row(summary, total)
    if total.open:
        lines.append(text("Time and bytes of {open} open sessions count when they end.", open=total.open))
    return Result("warning" if warnings else "ok", found, warnings, text=lines)


def _row(name: str, usage: Total, client: str = "") -> Iterator[str]:
    """Yield one row of at most 80 columns; an IPv6 address gets a separate line."""
    fits = len(client) <= _CLIENT_WIDTH
    hours, rest = divmod(usage.seconds, 3600)
    time = f"{hours}h{rest // 60:02}m" if hours else f"{rest // 60}m{rest % 60:02}s"
    sizes = (_size(usage.bytes_in), _size(usage.bytes_out))
    cells = (name, usage.sessions, time, *sizes, client if fits else "")
    yield Line(_TABLE.format(*map(str, cells)).rstrip(), *cells)
    if not fits:
        yield text("  {client}", client=client)


def _size(count: int) -> str:
    """Format a number of bytes in at most five characters: `999`, `1.2M`, `123G`."""
    value, power = float(count), 0
    while value >= _THOUSAND and power < len(_UNITS) - 1:
        value, power = value / _THOUSAND, power + 1
    digits = 1 if power and value < _TEN else 0
    return f"{value:.{digits}f}{_UNITS[power]}"
