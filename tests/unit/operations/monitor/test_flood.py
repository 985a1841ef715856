"""An agent that leaves something new at each look of the monitor."""

from datetime import datetime
from pathlib import Path

import pytest

from mstunnel_setup.actions import containers
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    SyncFailure,
    Thresholds,
    write_health,
)
from mstunnel_setup.exchange.mailbox import CONFIGURATION
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import container
from tests.unit.operators import operator_of


def report_health(files: Files, state: HealthState, now: datetime, number: int) -> None:
    error = SyncFailure(code="network-unreachable", message=f"try {number}", hint="", at=now)
    write_health(files, HealthReport(at=now, state=state, rows=(), thresholds=Thresholds(), last_error=error))


def test_a_flood_of_the_agent_hides_neither_what_is_done_nor_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    restarted: list[str] = []
    clock = FakeClock(elapsed=1000.0)

    def broken(_self: GatewayMonitor) -> None:
        if clock.elapsed > 2000:
            raise EngineError("engine-unreachable", "the engine does not answer", "")

    sick = {paths.SERVER: container(health="unhealthy"), paths.AGENT: container()}
    monkeypatch.setattr(GatewayMonitor, "_host", ports_of(tmp_path, engine=FakeEngine(sick), clock=clock))
    monkeypatch.setattr(GatewayMonitor, "_modules", broken)
    monkeypatch.setattr(containers, "restart", lambda _ports, name: restarted.append(name))
    monitor = GatewayMonitor(operator_of(tmp_path, clock=clock), said.append)
    for directory in (paths.AGENT_STATE, paths.INBOX, paths.OUTBOX):
        monitor.operator.files.make_directories(directory)
    for number in range(150):
        clock.elapsed += 8
        report_health(
            monitor.operator.files,
            [HealthState.HEALTHY, HealthState.WARNING][number % 2],
            clock.now(),
            number,
        )
        monitor.operator.files.write(CONFIGURATION.request, b"{" * (number % 3))
        monitor.round()
    codes = [line.partition(":")[0] for line in said]
    assert len(restarted) > 3
    assert codes.count("restart") == len(restarted)
    assert "engine-unreachable" in codes
    # Twenty minutes: a burst of twenty lines, then one a minute, and how many were left out.
    assert codes.count("health-changed") < 45
    assert len(said) < 150
