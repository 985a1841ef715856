"""When the monitor looks again: after a few seconds, or when something changes, and each minute."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.install.scenes import container
from tests.unit.operators import operator_of

WELL = replace(container(), process_id=100)


class PausedError(Exception):
    """The monitor waits: so long at most, for changes and the end of these processes."""


class Recorded(Changes):
    """Changes of which none ever happens."""

    def wait(self, seconds: float, processes: Iterable[int] = ()) -> bool:
        raise PausedError(seconds, *processes)


@pytest.mark.parametrize(
    ("states", "systemd", "naps"),
    [
        ({paths.SERVER: WELL, paths.AGENT: WELL}, True, 1),
        ({paths.SERVER: WELL, paths.AGENT: replace(WELL, health="starting")}, True, 3),
        ({paths.SERVER: WELL, paths.AGENT: replace(WELL, health="unhealthy")}, True, 3),
        ({paths.SERVER: WELL}, True, 3),
        ({paths.SERVER: WELL, paths.AGENT: WELL}, False, 3),
    ],
    ids=["well", "starting", "unhealthy", "stopped", "without systemd"],
)
def test_only_what_is_well_is_left_alone_until_something_changes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    states: dict[str, ContainerState],
    systemd: bool,
    naps: int,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GatewayMonitor, "_modules", lambda _self: None)
    clock = FakeClock(elapsed=1000.0, during=[lambda: None, lambda: None, interrupted])
    ports = ports_of(tmp_path, engine=FakeEngine(states), systemd=FakeSystemd(runs=systemd), clock=clock)
    monkeypatch.setattr(GatewayMonitor, "_host", ports)
    monitor = GatewayMonitor(operator_of(tmp_path, clock=clock), lambda _text: None)
    with Recorded(Files(tmp_path)) as changes, pytest.raises((PausedError, KeyboardInterrupt)) as ended:
        monitor.run(changes)
    assert clock.naps == [8.0] * naps
    if naps == 1:
        assert ended.value.args == (52.0, 100, 100)
