from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.agent.health import STATUS, Failure, Status, judge, read_status, write_status
from mstunnel_setup.host.files import Files
from tests.unit.clocks import START


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("checked_in", "now", "healthy", "reason"),
    [
        (None, 0, True, "has not checked in yet"),
        (None, 119, True, "has not checked in yet"),
        (None, 120, False, "no check-in since the start"),
        (10, 309, True, "checked in at 2026-01-01T00:00:10+00:00"),
        (10, 310, False, "no check-in since 2026-01-01T00:00:10+00:00"),
        (10_000, 200, False, "no check-in since"),
    ],
)
def test_verdicts(checked_in: float | None, now: float, healthy: bool, reason: str) -> None:
    verdict = judge(Status(started=START, last_check_in=at(checked_in)), START + timedelta(seconds=now))

    assert verdict.healthy is healthy
    assert reason in verdict.reason


def test_the_reason_names_the_last_error() -> None:
    failure = Failure(code="network-unreachable", message="graph.example is away", hint="", at=START)
    verdict = judge(Status(started=START, last_error=failure), START + timedelta(hours=1))

    assert verdict.reason.endswith(": graph.example is away")


def test_the_status_survives_its_file(tmp_path: Path) -> None:
    files = Files(tmp_path)
    status = Status(started=START, last_check_in=START, configuration_digest="00")
    assert read_status(files) is None

    write_status(files, status)

    assert read_status(files) == status


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"started": "yesterday"}'])
def test_a_broken_status_is_none(tmp_path: Path, content: bytes) -> None:
    files = Files(tmp_path)
    files.make_directories("/run/mstunnel-agent")
    files.write(STATUS, content)

    assert read_status(files) is None
    assert not judge(None, START).healthy
