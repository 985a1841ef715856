"""What a round of the monitor does about a gateway that was started before its tunnel device."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup.actions import tunnel_device
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import container
from tests.unit.operators import operator_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DENIED = Completed(2, "", "cannot open: No such device")
OPENED = Completed(0, "", "")


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    device = tmp_path / "tun"
    device.touch()
    monkeypatch.setattr(tunnel_device, "DEVICE", str(device))
    return device


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine({paths.SERVER: container()}, answer=lambda _command: DENIED)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(elapsed=1000.0)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def monitor(
    tmp_path: Path, engine: FakeEngine, clock: FakeClock, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> GatewayMonitor:
    for work in ("_offer", "_upgrade", "_port", "_modules", "_containers"):
        monkeypatch.setattr(GatewayMonitor, work, lambda _self: None)
    monkeypatch.setattr(GatewayMonitor, "_host", ports_of(tmp_path, engine=engine))
    return GatewayMonitor(operator_of(Path("/"), clock=clock), said.append)


def rounds(monitor: GatewayMonitor, clock: FakeClock, *times: float) -> None:
    for clock.elapsed in times:
        monitor.round()


@pytest.mark.usefixtures("device")
def test_a_gateway_that_started_too_early_is_restarted_and_it_is_said(
    monitor: GatewayMonitor, clock: FakeClock, engine: FakeEngine, said: list[str]
) -> None:
    engine.answer = lambda _command: OPENED if engine.restarts else DENIED
    rounds(monitor, clock, 1000, 1008, 1060, 1700)
    assert engine.restarts == [paths.SERVER]
    assert len(said) == 1
    assert said[0].startswith("tunnel: restarting mstunnel-server, which cannot open ")
    assert said[0].endswith(": cannot open: No such device")


@pytest.mark.usefixtures("device")
def test_what_a_restart_does_not_help_is_tried_again_after_ten_minutes(
    monitor: GatewayMonitor, clock: FakeClock, engine: FakeEngine
) -> None:
    rounds(monitor, clock, 1000, 1008, 1100, 1599)
    assert engine.restarts == [paths.SERVER]
    rounds(monitor, clock, 1600, 1608, 2199)
    assert engine.restarts == [paths.SERVER] * 2


def test_nothing_is_restarted_before_the_host_has_the_device(
    monitor: GatewayMonitor, clock: FakeClock, engine: FakeEngine, device: Path
) -> None:
    device.unlink()
    rounds(monitor, clock, 1000, 1060, 1120)
    assert engine.restarts == []
    device.touch()
    rounds(monitor, clock, 1180, 1188)
    assert engine.restarts == [paths.SERVER]


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("seconds", "line", "tried"),
    [
        (1, "tunnel-device open", False),
        (1, "tunnel-device closed", True),
        (-1, "tunnel-device open", True),
        (1, "of a gateway that does not report it", True),
    ],
)
def test_what_the_gateway_has_opened_since_its_start_is_not_tried(
    *,
    tmp_path: Path,
    monitor: GatewayMonitor,
    clock: FakeClock,
    engine: FakeEngine,
    seconds: int,
    line: str,
    tried: bool,
) -> None:
    asked: list[Sequence[str]] = []

    def answer(command: Sequence[str]) -> Completed:
        asked.append(command)
        return DENIED

    engine.answer = answer
    engine.containers[paths.SERVER] = replace(container(), started_at=NOW)
    report = tmp_path / REPORT.removeprefix("/")
    report.parent.mkdir(parents=True)
    report.write_text(f"time {int(NOW.timestamp()) + seconds}\n{line}\n")
    rounds(monitor, clock, 1000)
    assert bool(asked) == tried
    assert bool(engine.restarts) == tried


@pytest.mark.usefixtures("device")
def test_a_gateway_that_is_stopped_stays_stopped(
    monitor: GatewayMonitor, clock: FakeClock, engine: FakeEngine
) -> None:
    engine.containers[paths.SERVER] = container("exited", None)
    rounds(monitor, clock, 1000, 1060)
    assert engine.restarts == []
