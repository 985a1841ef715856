"""The gateway's log: where it is read, what a record of a session is, and what it tells of a device."""

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup.io.process import Processes
from mstunnel_setup.operations.explain_facts import LogFindings, read_log
from mstunnel_setup.operations.gateway_log import SessionRecord, log_since, session_record
from tests.unit.fakes import FakeSystemd, ports_of

SINCE = datetime(2026, 11, 26, 19, tzinfo=UTC)
USER, PHONE, LAPTOP = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11", "192.0.2.7", "192.0.2.8"
BEGIN = f"OCSERV_TELEMETRY,connect,{PHONE},10.90.0.10,10.8.0.1,10.8.0.5,{USER},phone,OpenConnect"
END = f"{BEGIN.replace('connect', 'disconnect', 1)},1000,2000,61"


@dataclass
class Log(Processes):
    """Prints lines; keeps the command."""

    printed: Sequence[str] = ()
    asked: list[Sequence[str]] = field(default_factory=list)

    def lines(self, arguments: Sequence[str]) -> Iterator[str]:
        self.asked.append(arguments)
        yield from self.printed


@pytest.mark.parametrize(
    ("systemd", "command"),
    [
        (True, "journalctl --quiet --no-pager --output=cat --identifier=ocserv --since=@1795719600"),
        (False, "podman logs mstunnel-server"),
    ],
)
def test_the_journal_is_read_where_there_is_one_because_it_outlives_containers(
    tmp_path: Path, systemd: bool, command: str
) -> None:
    log = Log(["one", "two"])
    ports = ports_of(tmp_path, processes=log, systemd=FakeSystemd(runs=systemd))
    assert [*log_since(ports, SINCE)] == ["one", "two"]
    assert " ".join(log.asked[0]) == command


def test_records_are_read_as_the_gateway_writes_them() -> None:
    assert session_record(BEGIN) == SessionRecord(
        operation="connect", client=PHONE, assigned="10.8.0.5", user=USER
    )
    assert session_record(END) == SessionRecord(
        operation="disconnect",
        client=PHONE,
        assigned="10.8.0.5",
        user=USER,
        bytes_in=1000,
        bytes_out=2000,
        seconds=61,
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "OCSERV_TELEMETRY",
        "OCSERV_TELEMETRY,",
        "OCSERV_TELEMETRY,host-update,a,b,c,d,e,f,g",
        f"x{BEGIN}",
        f"{BEGIN},1",
        END.rpartition(",")[0],
    ],
)
def test_other_lines_are_no_records(line: str) -> None:
    assert session_record(line) is None


def test_numbers_that_are_none_count_as_nothing() -> None:
    record = session_record(f"{END.removesuffix('1000,2000,61')},-1,²")
    assert record is not None
    assert (record.bytes_in, record.bytes_out, record.seconds) == (0, 0, 0)


# ocserv 1.3.0 and our patches, as `tests/attack/test_device.py` meets them.
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


def test_the_refusals_of_one_address_are_told_apart_with_their_first_reason() -> None:
    last = session_record(END)
    validity = "Token not within validity period NBF: 1 EXP: 2 Current: 3"
    assert read_log(REFUSALS, PHONE) == LogFindings(1, validity, 2, last)
    assert read_log(REFUSALS, LAPTOP) == LogFindings(2, "", 1)
    assert read_log(REFUSALS, USER) == LogFindings(others=3, last=last)


def test_keys_that_the_gateway_downloads_are_no_reason() -> None:
    validity = "Token not within validity period NBF: 1 EXP: 2 Current: 3"
    assert read_log(["ocserv-oidc: fetched new JWK 1-a", *REFUSALS], PHONE).reason == validity


def test_a_log_without_end_needs_no_memory() -> None:
    lines = (line for _ in range(30_000) for line in REFUSALS)
    tracemalloc.start()
    try:
        assert read_log(lines, PHONE).refused == 30_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
