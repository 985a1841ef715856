"""`mst-cli upgrade check` shows which release runs, and why it does not upgrade automatically."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import time, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.exchange.releases import CATALOGUE
from mstunnel_setup.exchange.upgrade_decision import (
    HIDDEN_BY_GRAPH,
    UpgradeDecision,
    Window,
    standing,
    write_standing,
)
from mstunnel_setup.exchange.upgrade_history import HISTORY, UpgradeOutcome, write_history
from mstunnel_setup.install.installed import MONITOR_UNIT
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.status import monitor_notices, upgrade_notices, waiting_notices
from mstunnel_setup.operations.upgrade import commands
from tests.unit.clocks import START
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.fakes import FakeSystemd, ports_of
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, object_of

DIGESTS = images("c").digests
OFFER = f"""
[[release]]
label = "2.0"
published = 2026-11-01
server = "{DIGESTS.server}"
agent = "{DIGESTS.agent}"
"""

ANOTHER = "for another, write `time_zone` in /etc/mstunnel-setup/releases.toml"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    for directory in (paths.AGENT_STATE, CATALOGUE.rpartition("/")[0]):
        found.make_directories(directory)
    found.write(CATALOGUE, OFFER.encode())
    return found


def check(files: Files, monkeypatch: pytest.MonkeyPatch, runs: str = "b") -> Result:
    """What the command says; its JSON keeps the schema."""

    @contextmanager
    def opened(*_arguments: object, **_options: object) -> Iterator[Run]:
        yield Scene(files.root).opened()

    monkeypatch.setattr(commands, "open_run", opened)
    monkeypatch.setattr(commands, "running", lambda _run: images(runs))
    return validated("mst-cli upgrade check", commands.check(operator_of(Path("/nowhere"))))


def decided(files: Files, code: str, reason: str, window: Window | None = None) -> None:
    write_standing(files, standing(UpgradeDecision(begin=False, code=code, reason=reason), START, window))


def test_it_says_what_the_upgrade_waits_for_and_since_when_that_is_known(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(files, "turn", "gw1 comes first")
    result = check(files, monkeypatch)
    assert f"Waits:   gw1 comes first (turn, as of {START:%Y-%m-%d %H:%M} UTC)" in lines_of(result)
    assert object_of(result, "decision")["code"] == "turn"


def test_text_of_the_agent_cannot_control_the_terminal(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(files, "turn", "\x1b[2Jgw1\n comes first")
    assert "\x1b" not in "".join(lines_of(check(files, monkeypatch)))


def test_without_a_report_of_the_agent_nothing_is_shown(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = check(files, monkeypatch)
    assert result.data["decision"] is None
    assert not any(line.startswith("Waits") for line in lines_of(result))


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        (ZoneInfo("Europe/Berlin"), "Window:  22:00-23:00 Europe/Berlin"),
        (
            timezone(timedelta(hours=2)),
            f"Window:  22:00-23:00 UTC+02:00, in summer and winter alike; {ANOTHER}",
        ),
    ],
)
def test_a_window_that_does_not_follow_the_clocks_says_so(
    files: Files, monkeypatch: pytest.MonkeyPatch, zone: tzinfo, said: str
) -> None:
    decided(files, "window-closed", "it opens later", Window(time(22), time(23), zone))
    assert said in lines_of(check(files, monkeypatch))


def test_what_graph_does_not_show_is_said_once_with_what_takes_its_place(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = UpgradeDecision(begin=False, code="up-to-date", reason="release 2.0 is running")
    write_standing(files, standing(verdict, START, None, HIDDEN_BY_GRAPH))
    result = check(files, monkeypatch)
    assert object_of(result, "decision")["unseen"] == ["approval", "releases", "state"]
    (first, second, third) = [line for line in lines_of(result) if "does not show" in line]
    assert first.startswith("Graph:   does not show an approval; approve with `mst-cli upgrade apply`")
    assert second.startswith("         does not show the releases of other servers")
    assert third.startswith("         does not show an upgrade under way or failed")


def test_a_tenant_that_shows_everything_is_not_mentioned(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(files, "turn", "gw1 comes first")
    assert not any("Graph" in line for line in lines_of(check(files, monkeypatch)))


def test_a_server_that_is_up_to_date_waits_for_nothing(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(files, "turn", "gw1 comes first")
    assert not any(line.startswith("Waits") for line in lines_of(check(files, monkeypatch, runs="c")))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("other-failed", ["upgrade-waits"]),
        ("approval-missing", ["upgrade-waits"]),
        ("held", ["upgrade-waits"]),
        ("turn", []),
        ("window-closed", []),
    ],
)
def test_status_warns_of_what_waits_for_a_person(files: Files, code: str, said: list[str]) -> None:
    decided(files, code, "look at gw1")
    assert [notice.code for notice in waiting_notices(files)] == said


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
