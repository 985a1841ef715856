"""A monitor of a host without containers, and an agent that asks it for releases."""

from pathlib import Path

import pytest

from mstunnel_setup.install import session
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from mstunnel_setup.operations.upgrade import run
from tests.unit.clocks import FakeClock
from tests.unit.exchange.test_record import images
from tests.unit.install.scenes import Scene
from tests.unit.operations.monitor.asking import Asking
from tests.unit.operators import operator_of


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(elapsed=1000.0)


@pytest.fixture
def monitor(
    tmp_path: Path, said: list[str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> GatewayMonitor:
    """A monitor of a host without containers, whose catalogue can be spoiled."""
    monkeypatch.setattr(GatewayMonitor, "_modules", lambda _self: None)
    monkeypatch.setattr(GatewayMonitor, "_level", lambda _self: None)
    monkeypatch.setattr(GatewayMonitor, "_containers", lambda _self: None)
    monkeypatch.setattr(GatewayMonitor, "_stopped", lambda _self: False)
    return GatewayMonitor(operator_of(tmp_path, clock=clock), said.append)


@pytest.fixture
def asking(
    monitor: GatewayMonitor, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Asking:
    scene = Asking(Scene(tmp_path, clock=clock), monitor)
    monkeypatch.setattr(session, "open_run", scene.opened)
    monkeypatch.setattr(run, "running", lambda _run: images("b"))
    monkeypatch.setattr(run, "upgrade_to", scene.upgrade)
    return scene
