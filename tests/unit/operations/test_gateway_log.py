"""The gateway's log: its source, findings about a device, and usage by user (`server report`)."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import trusted_writers
from mstunnel_setup.operations import gateway_log
from mstunnel_setup.operations.explain_facts import LogFindings, read_log
from mstunnel_setup.operations.gateway_log import (
    SessionRecord,
    Usage,
    log_since,
    session_record,
    since,
    usage_of,
)
from tests.cases import every
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeSystemd, ports_of
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, object_of, rows_of

OWN = " ".join(trusted_writers())

SINCE = datetime(2026, 11, 26, 19, tzinfo=UTC)
PHONE, LAPTOP = "192.0.2.7", "192.0.2.8"
ADA, BOB = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11", "0b5e1c6e-30f6-4c5e-9d6f-2f4a4d8f6a10"


def begun(user: str, address: str = "10.8.0.5", client: str = PHONE) -> str:
    return f"OCSERV_TELEMETRY,connect,{client},10.90.0.10,10.8.0.1,{address},{user},phone,Tunnel"


def ended(user: str, numbers: str = "1000,2000,60", address: str = "10.8.0.5", client: str = PHONE) -> str:
    first = begun(user, address, client).replace(",connect,", ",disconnect,", 1)
    return f"{first},{numbers}"


BEGIN, END = begun(ADA), ended(ADA, "1000,2000,61")


@dataclass
class Log(Processes):
    """Processes that print these lines and record the command."""

    printed: Sequence[str] = ()
    asked: list[Sequence[str]] = field(default_factory=list)

    def lines(self, arguments: Sequence[str], **_options: object) -> Iterator[str]:
        self.asked.append(arguments)
        yield from self.printed


@pytest.mark.parametrize(
    ("systemd", "command"),
    [
        (True, f"journalctl --quiet --no-pager --output=cat --identifier=ocserv {OWN} --since=@1795719600"),
        (False, "podman logs mstunnel-server"),
    ],
)
def test_journal_is_preferred_to_the_containers_log(tmp_path: Path, systemd: bool, command: str) -> None:
    log = Log(["one", "two"])
    ports = ports_of(tmp_path, processes=log, systemd=FakeSystemd(runs=systemd))
    assert [*log_since(ports, SINCE)] == ["one", "two"]
    assert " ".join(log.asked[0]) == command


BEGUN = SessionRecord(operation="connect", client=PHONE, assigned="10.8.0.5", user=ADA)
ENDED = replace(BEGUN, operation="disconnect", bytes_in=1000, bytes_out=2000, seconds=61)


@every(
    "line, record",
    [
        (BEGIN, BEGUN),
        (END, ENDED),
        # Invalid numbers count as 0.
        (ended(ADA, "-1,²,61"), replace(ENDED, bytes_in=0, bytes_out=0)),
        (ended(ADA, "1000,-1,²"), replace(ENDED, bytes_out=0, seconds=0)),
        ("", None),
        ("OCSERV_TELEMETRY", None),
        ("OCSERV_TELEMETRY,", None),
        ("OCSERV_TELEMETRY,host-update,a,b,c,d,e,f,g", None),
        (f"x{BEGIN}", None),
        (f"{BEGIN},1", None),
        (END.rpartition(",")[0], None),
    ],
)
def test_session_records_are_parsed(line: str, record: SessionRecord | None) -> None:
    assert session_record(line) == record


# Log lines of ocserv 1.3.0 with the gateway's patches, recorded in `tests/attack/test_device.py`.
REFUSALS = f"""\
{BEGIN}
ocserv-oidc: Token not within validity period NBF: 1 EXP: 2 Current: 3

ocserv-oidc: Token lifetime validation failed
worker: {PHONE} worker-auth.c:1745: failed authentication for ''
{END}
ocserv-oidc: Token malformed - no kid
worker: {LAPTOP} worker-auth.c:1745: failed authentication for ''
worker: {LAPTOP} worker-auth.c:1745: failed authentication for ''
""".splitlines()


def test_refusals_are_counted_by_address_with_first_reason() -> None:
    last = session_record(END)
    validity = "Token not within validity period NBF: 1 EXP: 2 Current: 3"
    assert read_log(REFUSALS, PHONE) == LogFindings(1, validity, 2, last)
    assert read_log(REFUSALS, LAPTOP) == LogFindings(2, "", 1)
    assert read_log(REFUSALS, ADA) == LogFindings(others=3, last=last)


def test_key_download_is_not_a_reason_for_refusal() -> None:
    validity = "Token not within validity period NBF: 1 EXP: 2 Current: 3"
    assert read_log(["ocserv-oidc: fetched new JWK 1-a", *REFUSALS], PHONE).reason == validity


def test_reading_an_endless_log_needs_constant_memory() -> None:
    lines = (line for _ in range(30_000) for line in REFUSALS)
    tracemalloc.start()
    try:
        assert read_log(lines, PHONE).refused == 30_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


NOW = datetime(2026, 11, 26, 20, tzinfo=UTC)
Report: TypeAlias = Callable[[Iterable[str]], Result]


@every(
    "lines, usage",
    [
        ([begun(ADA), ended(ADA)], Usage(1, 0, 60, 1000, 2000)),
        ([begun(ADA)], Usage(1, 1)),
        ([ended(ADA)], Usage(1, 0, 60, 1000, 2000)),
        ([ended(ADA), begun(ADA)], Usage(2, 1, 60, 1000, 2000)),
        ([begun(ADA), ended(ADA), begun(ADA), ended(ADA)], Usage(2, 0, 120, 2000, 4000)),
        ([begun(ADA), begun(ADA, "10.8.0.6"), ended(ADA, address="10.8.0.6")], Usage(2, 1, 60, 1000, 2000)),
        # After the gateway was killed the address is assigned again, which ends the earlier session.
        ([begun(ADA), begun(BOB), ended(BOB)], Usage(1, 0)),
        ([begun(ADA), begun(ADA)], Usage(2, 1)),
        (["ocserv[1]: something else", "", begun(ADA)], Usage(1, 1)),
        # The report shows the address of the user's last record.
        ([begun(ADA), ended(ADA, client="192.0.2.9")], Usage(1, 0, 60, 1000, 2000, client="192.0.2.9")),
    ],
)
def test_sessions_time_and_bytes_are_summed_by_user(lines: list[str], usage: Usage) -> None:
    assert usage_of(lines)[0][ADA] == replace(usage, user=ADA, client=usage.client or PHONE)


def test_memory_depends_on_users_not_on_records() -> None:
    def lines() -> Iterator[str]:
        for number in range(100_000):
            user = f"user-{number % 5}"
            yield begun(user, f"10.8.0.{number % 100}")
            yield "worker: " + "x" * 200
            yield ended(user, address=f"10.8.0.{number % 100}")

    tracemalloc.start()
    try:
        users, _left_out = usage_of(lines())
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
    assert [usage.sessions for usage in users.values()] == [20_000] * 5


def test_records_beyond_the_user_limit_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_log, "MOST_USERS", 3)
    users, left_out = usage_of(begun(f"user-{number}", f"10.8.0.{number}") for number in range(10))
    assert (len(users), left_out) == (3, 7)


@pytest.fixture
def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    def run(lines: Iterable[str]) -> Result:
        monkeypatch.setattr(gateway_log, "open_gateway", lambda _operator: nullcontext(ports_of(tmp_path)))
        monkeypatch.setattr(gateway_log, "log_since", lambda _ports, _since: lines)
        operator = operator_of(tmp_path, clock=FakeClock(NOW))
        result = validated("mst-cli server report", gateway_log.report(operator, "1h"))
        assert max(map(len, lines_of(result))) <= 80
        return result

    return run


def test_table_fits_80_columns_with_most_traffic_first(reported: Report) -> None:
    many = "123456789012345,98765432109876543,123456789"
    result = reported(
        [
            ended(ADA, many, client="203.0.113.113"),
            ended(BOB, client="2001:db8:1234:5678:9abc:def0:1234:5678"),
            begun("ada.lovelace.accounting.department.contoso", "10.8.0.9"),
        ]
    )
    assert [row["user"] for row in rows_of(result, "users")][:2] == [ADA, BOB]
    total = object_of(result, "total")
    assert (total["sessions"], total["open"], total["seconds"]) == (3, 1, 123456849)
    text = "\n".join(lines_of(result))
    assert "123T" in text
    assert "2001:db8:1234:5678:9abc:def0:1234:5678" in text
    assert "1 open sessions" in text


def test_log_without_records_gives_an_empty_report(reported: Report) -> None:
    result = reported([])
    assert (result.status, result.data["users"]) == ("ok", [])
    assert lines_of(result)[-1].startswith("Users since 2026-11-26 19:00 UTC: 0")


def test_truncated_report_has_a_warning(reported: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_log, "MOST_USERS", 1)
    result = reported([begun(ADA), begun(BOB, "10.8.0.6")])
    assert [notice.code for notice in result.warnings] == ["report-truncated"]


@every(
    "text, before",
    [
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("300ms", timedelta(milliseconds=300)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("2026-11-26", timedelta(hours=20)),
        ("2026-11-26T19:00", timedelta(hours=1)),
        ("2026-11-26 19:00:00", timedelta(hours=1)),
        ("2026-11-26T19:00:00.123456789Z", timedelta(seconds=3600 - 0.123456)),
        ("2026-11-26T19:00+02:00", timedelta(hours=3)),
        ("1795719600", timedelta(hours=1)),
        ("0001-01-01T00:00+14:00", NOW - datetime.fromtimestamp(0, UTC)),
    ],
)
def test_time_or_age_is_parsed(text: str, before: timedelta) -> None:
    assert since(text, NOW) == NOW - before


@every(
    "text, code",
    [
        *[(text, "since-invalid") for text in ("", "yesterday", "24", "24 h", "-1h", "1h-", "²h")],
        *[(text, "since-invalid") for text in ("999999999w", "2026-13-01", "2026-11-26T19:00+99:00")],
        *[(text, "since-future") for text in ("2026-11-27", "99999999999")],
    ],
)
def test_invalid_or_future_time_is_refused(text: str, code: str) -> None:
    with refused(UsageError, code) as caught:
        since(text, NOW)
    assert caught.value.hint
