"""`mst-cli server report`: sessions, time and traffic of each user, from the records in the gateway's log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Final

from pydantic import Field

from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Moment, Report, Result
from mstunnel_setup.base.text import Line, plain, text
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.gateway_log import SessionRecord, log_since, session_record, since

MOST_USERS: Final = 50_000
_TABLE: Final = "{:36} {:>5} {:>7} {:>6} {:>6} {}"
_USER_WIDTH: Final = 36
_CLIENT_WIDTH: Final = 15
_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")
_THOUSAND: Final = 1000
_TEN: Final = 10


@dataclass
class Total:
    """What one user or all did; time (seconds) and bytes are those of sessions that have ended."""

    sessions: int = 0
    open: Annotated[int, Field(description="Those whose end the log does not have.")] = 0
    seconds: Annotated[int, Field(description="Of the sessions that have ended, as are the bytes.")] = 0
    bytes_in: Annotated[int, Field(description="From devices.")] = 0
    bytes_out: Annotated[int, Field(description="To devices.")] = 0


@dataclass
class Usage(Total):
    """What one user did."""

    user: Annotated[str, Field(description="Object id in Microsoft Entra.")] = ""
    client: Annotated[str, Field(description="The address outside that was seen last.")] = ""


class UsageReport(Report):
    """Sessions, time and traffic of each user, from the records in the server's log."""

    since: Moment
    until: Moment
    users: Annotated[tuple[Usage, ...], Field(description="The most traffic first.")]
    total: Total


@dataclass
class Accounts:
    """The usage by user, of at most MOST_USERS; `left_out` counts the records of others.

    Its size depends on the number of users and of addresses in the tunnel, not on that of the records.
    """

    users: dict[str, Usage] = field(default_factory=dict)
    left_out: int = 0
    _holders: dict[str, str] = field(default_factory=dict)

    def add(self, record: SessionRecord) -> None:
        """Count a record; those of one log come in its order."""
        usage = self.users.get(record.user)
        if usage is None:
            if len(self.users) >= MOST_USERS:
                self.left_out += 1
                return
            usage = self.users[record.user] = Usage(user=record.user)
        usage.client = record.client
        holder = self._holders.pop(record.assigned, None)
        if holder is not None:
            self.users[holder].open -= 1
        if record.operation == "connect":
            self._holders[record.assigned] = record.user
            usage.sessions += 1
            usage.open += 1
            return
        # Without its beginning in this log it began earlier.
        usage.sessions += holder != record.user
        usage.seconds += record.seconds
        usage.bytes_in += record.bytes_in
        usage.bytes_out += record.bytes_out


def accounts_of(lines: Iterable[str]) -> Accounts:
    """What the records among the lines of a log add up to."""
    accounts = Accounts()
    for line in lines:
        if record := session_record(line):
            accounts.add(record)
    return accounts


def report(operator: Operator, age: str) -> Result:
    """The usage of each user, the most traffic first, since a time or an age.

    Raises UsageError for what is neither, and where nothing is installed.
    """
    now = operator.clock.now()
    begin = since(age, now)
    with open_gateway(operator) as ports:
        accounts = accounts_of(log_since(ports, begin))
    users = sorted(accounts.users.values(), key=lambda usage: -(usage.bytes_in + usage.bytes_out))
    found = UsageReport(
        since=begin.isoformat(timespec="seconds"),
        until=now.isoformat(timespec="seconds"),
        users=tuple(users),
        total=Total(
            **{item.name: sum(getattr(usage, item.name) for usage in users) for item in fields(Total)}
        ),
    )
    truncated = (
        (
            warning(
                "report-truncated",
                "the log names more than {limit} users; {records} records of others are left out",
                hint="Report a shorter time, with a later --since.",
                limit=MOST_USERS,
                records=accounts.left_out,
            ),
        )
        if accounts.left_out
        else ()
    )
    summary = text("Users since {begin:%Y-%m-%d %H:%M} UTC: {ordered}", begin=begin, ordered=len(users))
    return Result("warning" if truncated else "ok", found.data, truncated, text=[*_lines(found, summary)])


def _lines(found: UsageReport, summary: str) -> Iterator[str]:
    head = (text("User"), text("Sess."), text("Time"), text("In"), text("Out"), text("Last address"))
    yield Line(_TABLE.format(*head), *head)
    for usage in found.users:
        yield from _row(plain(usage.user, _USER_WIDTH), usage, plain(usage.client))
    yield from _row(summary, found.total)
    if found.total.open:
        yield text("Time and bytes of {open} open sessions count when they end.", open=found.total.open)


def _row(name: str, usage: Total, client: str = "") -> Iterator[str]:
    """One line of at most 80 columns; an IPv6 address is on a separate line."""
    fits = len(client) <= _CLIENT_WIDTH
    sizes = (_size(usage.bytes_in), _size(usage.bytes_out))
    cells = (name, usage.sessions, _time(usage.seconds), *sizes, client if fits else "")
    yield Line(_TABLE.format(*cells).rstrip(), *cells)
    if not fits:
        yield text("  {client}", client=client)


def _time(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}h{rest // 60:02}m" if hours else f"{rest // 60}m{rest % 60:02}s"


def _size(count: int) -> str:
    """A number of bytes in at most five characters: `999`, `1.2M`, `123G`."""
    value, power = float(count), 0
    while value >= _THOUSAND and power < len(_UNITS) - 1:
        value, power = value / _THOUSAND, power + 1
    digits = 1 if power and value < _TEN else 0
    return f"{value:.{digits}f}{_UNITS[power]}"
