"""When the monitor restarts a container, and how patiently."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base import paths
from mstunnel_setup.exchange import gateway_report, health_report
from mstunnel_setup.exchange.health_report import HealthReport, HealthState, Thresholds
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.restart_decision import Condition, RestartDecision, silent

NAME = "mstunnel-server"
MINUTE = 60.0


def restarts(conditions: list[Condition], *, every: float = MINUTE) -> list[int]:
    """Numbers of the looks after which the container is restarted."""
    watch = RestartDecision()
    return [
        number for number, condition in enumerate(conditions) if watch.look({NAME: condition}, number * every)
    ]


def times(count: int, condition: Condition) -> list[Condition]:
    return [condition] * count


CASES: dict[str, tuple[list[Condition], list[int]]] = {
    "a service that was given up is started at once": (["failed"], [0]),
    "one bad look is no reason": (["unhealthy", "unhealthy", "healthy", "unhealthy", "unhealthy"], []),
    "three in a row are one": (times(3, "unhealthy"), [2]),
    "what an administrator stopped stays stopped": (times(100, "stopped"), []),
    "a start that takes long is waited for": (
        ["unhealthy", "starting", "unhealthy", "starting", "unhealthy"],
        [4],
    ),
    "a good look alone is not believed": (
        [*times(4, "failed"), "healthy", *times(3, "failed")],
        [0, 1, 3, 7],
    ),
    "after ten good minutes the retry delay is reset": (
        [*times(4, "failed"), *times(11, "healthy"), *times(2, "failed")],
        [0, 1, 3, 15, 16],
    ),
    "good minutes are counted in a row": (
        [*times(8, "failed"), *times(6, "healthy"), "starting", *times(6, "healthy"), *times(3, "failed")],
        [0, 1, 3, 7, 21],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_when_a_container_is_restarted(case: str) -> None:
    conditions, expected = CASES[case]
    assert restarts(conditions) == expected


def test_restarts_that_do_not_help_become_rare() -> None:
    found = restarts(["failed"] * 120)
    pauses = [after - before for before, after in itertools.pairwise(found)]
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert set(pauses[5:]) == {30}


def test_container_healthy_only_briefly_is_restarted_rarely() -> None:
    looks = times(3, "unhealthy") + times(3, "starting") + times(1, "healthy")
    assert len(restarts(looks * 100, every=8.0)) < 10


conditions = st.lists(st.sampled_from(["healthy", "starting", "stopped", "failed", "unhealthy"]), max_size=60)


@given(conditions)
def test_nothing_is_restarted_that_is_well_or_stopped(seen: list[Condition]) -> None:
    assert all(seen[number] in ("failed", "unhealthy", "starting") for number in restarts(seen))


def test_containers_are_watched_apart() -> None:
    watch = RestartDecision()
    due = watch.look({"mstunnel-server": "failed", "mstunnel-agent": "healthy"}, 0.0)
    assert due == ["mstunnel-server"]
    due = watch.look({"mstunnel-server": "failed", "mstunnel-agent": "failed"}, 1.0)
    assert due == ["mstunnel-agent"]


NOW = datetime(2026, 11, 30, 2, 5, tzinfo=UTC)
ANSWER = 'status {"Active sessions": 3}\n'
BOTH = {paths.SERVER, paths.AGENT}


def write_reports(files: Files, gateway: str, agent_at: datetime) -> None:
    files.make_directories(paths.SERVER_STATE)
    files.write(gateway_report.REPORT, gateway.encode())
    report = HealthReport(at=agent_at, state=HealthState.HEALTHY, rows=(), thresholds=Thresholds())
    health_report.write_health(files, report)


@pytest.mark.parametrize(
    ("gateway_age", "answer", "agent_age", "expected"),
    [
        (60, ANSWER, 66, set()),
        (110, ANSWER, 140, set()),
        (130, ANSWER, 66, {paths.SERVER}),
        (60, "", 66, {paths.SERVER}),
        (60, 'status {"Active sessions": "many"}\n', 66, {paths.SERVER}),
        (60, ANSWER, 160, {paths.AGENT}),
        # Time was set back by an hour.
        (-3600, ANSWER, -3600, BOTH),
    ],
)
def test_a_container_without_a_fresh_report_is_silent(
    tmp_path: Path, gateway_age: int, answer: str, agent_age: int, expected: set[str]
) -> None:
    gateway = f"time {int(NOW.timestamp()) - gateway_age}\n{answer}"
    write_reports(Files(tmp_path), gateway, NOW - timedelta(seconds=agent_age))
    assert silent(Files(tmp_path), NOW) == expected


def test_without_reports_that_can_be_read_both_are_silent(tmp_path: Path) -> None:
    assert silent(Files(tmp_path), NOW) == BOTH
    for report in (gateway_report.REPORT, health_report.REPORT):
        (tmp_path / report.lstrip("/")).mkdir(parents=True)
    assert silent(Files(tmp_path), NOW) == BOTH
