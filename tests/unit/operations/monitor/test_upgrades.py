"""What becomes of a request for an upgrade that comes too late, or while the gateway is stopped."""

import os
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError
from mstunnel_setup.exchange import LONGEST_DRAIN
from mstunnel_setup.exchange.mailbox import UPGRADE
from mstunnel_setup.exchange.upgrade_history import UpgradePhase, write_history
from mstunnel_setup.install import session
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from mstunnel_setup.operations.monitor.upgrades import take
from mstunnel_setup.operations.upgrade import run
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.operations.monitor.asking import Asking

MINUTE = 60.0


@pytest.mark.parametrize(
    ("age", "taken"), [(0.0, True), (14 * MINUTE, True), (16 * MINUTE, False), (-16 * MINUTE, False)]
)
def test_a_request_is_carried_out_within_minutes_or_not_at_all(
    asking: Asking, said: list[str], age: float, taken: bool
) -> None:
    """Hours later the maintenance window is closed; a time to come is from before the clock was set back."""
    asking.write("c", age)
    asking.monitor.round()
    assert asking.upgraded == ([images("c").digests] if taken else [])
    assert asking.files.state(UPGRADE.request) is None
    assert said[-1].partition(":")[0] == ("upgrade-done" if taken else "upgrade-request-old")


@pytest.mark.parametrize("at", [-(2**62), 0, 2**33])
def test_whatever_time_an_agent_gives_its_request_ends_no_round(
    asking: Asking, said: list[str], at: int
) -> None:
    asking.write("c")
    os.utime(asking.files.locate(UPGRADE.request), (0, at))
    asking.monitor.round()
    assert [line.partition(":")[0] for line in said] == ["upgrade-request-old"]


def ask_during_another_run(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor takes the request, and finds the host locked."""

    def locked(*_arguments: object) -> None:
        raise LockedError("locked", "another run is at work", "")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(session, "open_run", locked)
        asking.ask("c")


def test_a_request_that_waited_for_another_run_too_long_is_dropped(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_during_another_run(asking, monkeypatch)
    asking.clock.elapsed += 20 * MINUTE
    asking.monitor.round()
    asking.monitor.round()
    assert asking.upgraded == []


@pytest.mark.parametrize("minutes", [5, 20])
def test_a_gateway_that_an_administrator_stopped_is_upgraded_once_it_runs_again(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Not for a request of long ago; the agent makes another one when it is time."""
    monkeypatch.setattr(GatewayMonitor, "_stopped", lambda _self: True)
    asking.ask("c")
    assert asking.files.state(UPGRADE.request) is not None, "the agent may withdraw it"
    asking.clock.elapsed += minutes * MINUTE
    asking.monitor.round()
    assert asking.upgraded == []
    monkeypatch.setattr(GatewayMonitor, "_stopped", lambda _self: False)
    asking.monitor.round()
    assert asking.upgraded == ([images("c").digests] if minutes < 15 else [])


def test_a_gateway_that_is_stopped_after_its_request_was_taken_stays_stopped(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent asks again; until then a request that is held would hold up other work of the monitor."""
    ask_during_another_run(asking, monkeypatch)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(GatewayMonitor, "_stopped", lambda _self: True)
        asking.monitor.round()
    asking.monitor.round()
    assert asking.upgraded == []
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]


def test_an_upgrade_that_was_begun_is_finished_though_the_gateway_is_stopped(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an upgrade the gateway may be stopped, too."""
    finished: list[object] = []
    monkeypatch.setattr(GatewayMonitor, "_stopped", lambda _self: True)
    monkeypatch.setattr(run, "finish", finished.append)
    write_history(asking.files, history(upgrade("b", "c", None, phase=UpgradePhase.SWITCH)))
    asking.monitor.round()
    assert len(finished) == 1


def test_an_upgrade_may_take_longer_than_the_longest_drain(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the service manager must not end the monitor: the drain would start again."""
    allowed: list[float] = []
    during: list[float] = []
    monkeypatch.setattr(asking.monitor.service, "alive", allowed.append)
    monkeypatch.setattr(run, "finish", lambda _run: during.append(allowed[-1]))
    asking.ask("c")
    assert during[0] >= 60 * LONGEST_DRAIN + 3600


def test_a_request_that_the_agent_withdrew_meanwhile_is_none(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.INBOX)
    assert take(files) is None
