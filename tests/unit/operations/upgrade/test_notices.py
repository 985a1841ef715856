"""What status says of the monitor and of the last upgrade, each with the command that fixes it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.exchange.upgrade_history import HISTORY, UpgradeOutcome, write_history
from mstunnel_setup.install.installed import MONITOR_UNIT
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.upgrade.notices import monitor_notices, upgrade_notices
from tests.unit.exchange.test_record import history, upgrade
from tests.unit.fakes import FakeSystemd, ports_of


def codes(notices: Iterable[Problem]) -> list[str]:
    return [notice.code for notice in notices]


@pytest.mark.parametrize(
    ("known", "active", "said"),
    [(True, True, []), (True, False, ["monitor-down"]), (False, False, [])],
)
def test_a_monitor_that_is_down_is_reported(
    tmp_path: Path, *, known: bool, active: bool, said: list[str]
) -> None:
    unit = {MONITOR_UNIT}
    systemd = FakeSystemd(units=unit if known else set(), running_units=unit if active else set())
    assert codes(monitor_notices(ports_of(tmp_path, systemd=systemd))) == said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (UpgradeOutcome.DONE, []),
        (UpgradeOutcome.WENT_BACK, ["upgrade-failed"]),
        (UpgradeOutcome.NOT_BEGUN, ["upgrade-failed"]),
        (None, ["upgrade-unfinished"]),
    ],
)
def test_an_unhealthy_upgrade_is_reported(
    tmp_path: Path, outcome: UpgradeOutcome | None, said: list[str]
) -> None:
    files = Files(tmp_path)
    files.make_directories(HISTORY.rpartition("/")[0])
    write_history(files, history(upgrade("a", "b", outcome, reason="no TLS")))
    notices = list(upgrade_notices(files))
    assert codes(notices) == said
    assert all("mst-cli upgrade apply" in notice.hint for notice in notices)


def test_without_upgrades_nothing_is_shown_and_a_damaged_history_is_reported(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert codes(upgrade_notices(files)) == []
    files.make_directories(HISTORY.rpartition("/")[0])
    files.write(HISTORY, b"{")
    assert codes(upgrade_notices(files)) == ["upgrades-unreadable"]
