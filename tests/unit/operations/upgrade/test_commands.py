"""`mst-cli upgrade check|apply|rollback|history`: what runs, why it waits, and how upgrades ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import time, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.result import Result
from mstunnel_setup.exchange.mailbox import AgentRequest
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Digests
from mstunnel_setup.exchange.upgrade_decision import UpgradeDecision, standing
from mstunnel_setup.exchange.upgrade_history import HISTORY, Upgrade, UpgradeOutcome, write_history
from mstunnel_setup.exchange.upgrade_rules import RULES
from mstunnel_setup.exchange.upgrade_standing import LastDecision, write_standing
from mstunnel_setup.exchange.window import Window
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.upgrade import commands
from tests.refusals import refused
from tests.unit.clocks import START, FakeClock
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, object_of


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    found = Files(tmp_path)
    for directory in (HISTORY.rpartition("/")[0], paths.AGENT_STATE):
        found.make_directories(directory)

    @contextmanager
    def opened(*_arguments: object, **_options: object) -> Iterator[Run]:
        yield Scene(tmp_path).opened()

    monkeypatch.setattr(commands, "open_run", opened)
    return found


def shown(files: Files, *upgrades: Upgrade) -> list[str]:
    """What the command prints; its JSON keeps the schema."""
    write_history(files, history(*upgrades))
    result = validated("mst-cli upgrade history", commands.history(OPERATOR))
    return [line.strip() for line in lines_of(result)]


Request: TypeAlias = tuple[str, Digests, Digests | None]
Stand: TypeAlias = Callable[..., list[Request]]
Check: TypeAlias = Callable[..., Result]
OPERATOR = operator_of(Path("/nowhere"))


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Which images run, what finishing ends, and what becomes of an upgrade.

    Returns the requests for one: release, digests, and the release that it passes over.
    """

    def prepare(runs: str, finished: Upgrade | None = None, **then: Any) -> list[Request]:
        requests: list[Request] = []

        def upgrade_to(_run: Run, release: str, digests: Digests, _by: str, **options: Any) -> Upgrade:
            passed_over = options.get("passes_over")
            requests.append((release, digests, passed_over))
            return upgrade("a", "b", **{"passes_over": passed_over, **then})

        monkeypatch.setattr(commands, "running", lambda _run: images(runs))
        monkeypatch.setattr(commands, "finish", lambda _run: finished)
        monkeypatch.setattr(commands, "upgrade_to", upgrade_to)
        return requests

    return prepare


def list_releases(files: Files, text: str = "") -> None:
    """Offer release 1.0 with images a, 2.0 with images b and 3.0 with images c, or another list."""
    row = '[[release]]\nlabel = "{}.0"\npublished = 2026-0{}-01\nserver = "{}"\nagent = "{}"\n'
    digests = [(number, images(name).digests) for number, name in enumerate("abc", 1)]
    table = "".join(row.format(number, number, found.server, found.agent) for number, found in digests)
    files.make_directories(CATALOGUE.rpartition("/")[0])
    files.write(CATALOGUE, (text or table).encode())


def test_it_says_how_many_devices_were_there_and_are_back(files: Files) -> None:
    first = upgrade("a", "b", sessions_before=3, sessions_after=2)
    second = upgrade("b", "c", UpgradeOutcome.WENT_BACK, reason="it refuses them", sessions_before=2)
    assert shown(files, first, second)[1:3] == ["it refuses them", "Sessions: 2 before."]
    assert shown(files, first)[1] == "Sessions: 3 before, 2 back when it was confirmed."


def test_without_a_count_nothing_is_shown(files: Files) -> None:
    assert len(shown(files, upgrade("a", "b"))) == 1


def test_unfinished_upgrade_does_not_show_addresses(files: Files) -> None:
    shown(files, upgrade("a", "b", None, devices=("192.0.2.7",), sessions_before=1))
    assert "devices" not in str(commands.history(OPERATOR).data)


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [(None, None, []), (0, None, []), (2, 1, []), (2, 0, ["devices-away"])],
)
def test_a_release_that_no_device_has_proved_warns(
    files: Files, stand: Stand, before: int | None, after: int | None, codes: list[str]
) -> None:
    list_releases(files)
    stand("a", sessions_before=before, sessions_after=after)
    result = validated("mst-cli upgrade apply", commands.apply(OPERATOR, None))
    assert [notice.code for notice in result.warnings] == codes


def test_it_says_where_a_server_is_held_until_it_is_not(files: Files) -> None:
    held = upgrade("c", "b", passes_over=images("c").digests)
    assert shown(files, held)[1].startswith("Held at b: ")
    assert len(shown(files, held, upgrade("b", "c"))) == 2


@pytest.mark.parametrize(("name", "passed_over"), [("1.0", True), ("3.0", False), (None, False)])
def test_chosen_earlier_release_skips_the_newest(
    files: Files, stand: Stand, name: str | None, passed_over: bool
) -> None:
    list_releases(files)
    requests = stand("b")
    result = commands.apply(OPERATOR, name)
    assert [passes_over for _, _, passes_over in requests] == [images("c").digests if passed_over else None]
    assert result.data["held"] is passed_over
    assert any("Held at b" in line for line in lines_of(result)) is passed_over


ROLLED_BACK = upgrade("b", "a", rejects_source=True)


@pytest.mark.parametrize(
    ("earlier", "runs", "finished", "line"),
    [
        # It goes back by itself when it is finished; the upgrade before it was a good one.
        ([upgrade("a", "b")], "b", upgrade("b", "c", UpgradeOutcome.WENT_BACK), "was abandoned; the earlier"),
        ([upgrade("a", "b"), ROLLED_BACK], "a", ROLLED_BACK, "Release a is in use."),
    ],
)
def test_rollback_of_an_interrupted_upgrade_goes_back_once(
    *, files: Files, stand: Stand, earlier: list[Upgrade], runs: str, finished: Upgrade, line: str
) -> None:
    write_history(files, history(*earlier))
    stand(runs, finished)
    result = commands.rollback(OPERATOR)
    assert (result.status, line in lines_of(result)[0]) == ("changed", True)


@pytest.mark.parametrize("outcome", [UpgradeOutcome.NOT_BEGUN, UpgradeOutcome.WENT_BACK])
def test_repeated_rollback_that_fails_is_reported(
    files: Files, stand: Stand, outcome: UpgradeOutcome
) -> None:
    finished = upgrade("b", "a", outcome, rejects_source=True, reason="it cannot be fetched")
    write_history(files, history(upgrade("a", "b"), finished))
    stand("b", finished)
    with refused(SetupError, "upgrade-failed"):
        commands.rollback(OPERATOR)


@pytest.mark.parametrize(
    ("finished", "line", "codes"),
    [
        (upgrade("a", "b", sessions_before=2, sessions_after=0), "Release b is in use.", ["devices-away"]),
        (
            upgrade("b", "c", UpgradeOutcome.WENT_BACK),
            "upgrade to c was abandoned; the earlier release is",
            [],
        ),
    ],
)
def test_apply_reports_the_interrupted_upgrade_it_finished(
    files: Files, stand: Stand, finished: Upgrade, line: str, codes: list[str]
) -> None:
    write_history(files, history(finished))
    list_releases(files)
    stand("b", finished)
    result = commands.apply(OPERATOR, "2.0")
    assert (result.status, line in lines_of(result)[0]) == ("changed", True)
    assert [notice.code for notice in result.warnings] == codes


def test_apply_finishes_an_upgrade_without_an_offer(files: Files, stand: Stand) -> None:
    finished = upgrade("a", "b")
    write_history(files, history(finished))
    stand("b", finished)
    result = commands.apply(OPERATOR, None)
    assert (result.status, lines_of(result)[0][:20]) == ("changed", "Release b is in use.")
    with refused(SetupError, "no-releases"):
        commands.apply(OPERATOR, "2.0")


def test_a_rollback_does_not_need_the_list_of_releases(files: Files, stand: Stand) -> None:
    write_history(files, history(upgrade("a", "b")))
    list_releases(files, "[[release\n")
    requests = stand("b", rejects_source=True)
    commands.rollback(OPERATOR)
    assert requests == [("earlier", images("a").digests, None)]


WINDOW = "Window:  22:00-23:00"
ANOTHER = "to follow it, write `time_zone` in /etc/mstunnel-setup/releases.toml"


@pytest.fixture
def check(files: Files, stand: Stand) -> Check:
    """What the command says where 3.0 (c) is the newest release; its JSON keeps the schema."""

    def checked(runs: str = "b") -> Result:
        list_releases(files)
        stand(runs)
        return validated("mst-cli upgrade check", commands.check(OPERATOR))

    return checked


def decided(code: str, reason: str, zone: tzinfo | None = None) -> LastDecision:
    window = None if zone is None else Window(time(22), time(23), zone)
    return standing(UpgradeDecision(code, reason), START, window)


TURN = decided("turn", "gw1 comes first")


@pytest.mark.parametrize(
    ("decision", "runs", "line", "absent"),
    [
        (TURN, "b", f"Waits:   gw1 comes first (turn, as of {START:%Y-%m-%d %H:%M} UTC)", "Window"),
        # A server that is up to date waits for nothing.
        (TURN, "c", "", "Waits"),
        (None, "b", "", "Waits"),
        # A window that does not follow the clocks says so.
        (
            decided("window-closed", "", ZoneInfo("Europe/Berlin")),
            *("b", f"{WINDOW} Europe/Berlin", "regardless"),
        ),
        (
            decided("window-closed", "", timezone(timedelta(hours=2))),
            *("b", f"{WINDOW} UTC+02:00, regardless of daylight saving time; {ANOTHER}", "no release"),
        ),
    ],
)
def test_check_shows_the_agents_decision_and_its_reason(
    *, files: Files, check: Check, decision: LastDecision | None, runs: str, line: str, absent: str
) -> None:
    if decision is not None:
        write_standing(files, decision)
    result = check(runs)
    assert not line or line in lines_of(result)
    assert not any(absent in shown for shown in lines_of(result))
    if decision is None:
        assert result.data["decision"] is None
    else:
        assert object_of(result, "decision")["code"] == decision.code


def test_text_of_the_agent_cannot_control_the_terminal(files: Files, check: Check) -> None:
    write_standing(files, decided("turn", "\x1b[2Jgw1\n comes first"))
    assert "\x1b" not in "".join(lines_of(check()))


def test_it_names_the_rule_of_the_host_that_stops_the_agent(files: Files, check: Check) -> None:
    list_releases(files)
    files.write(RULES, b"approved = []\n")
    result = check()
    reason = f"release 3.0 is not in `approved` of {RULES} on this host"
    assert result.data["refused_by_host"] == reason
    assert f"Host:    the agent may not upgrade now: {reason}" in lines_of(result)
    assert check("c").data["refused_by_host"] == "", "it runs already"


def soaking_list(files: Files) -> None:
    """Offer release 3.0 (c), published a day before the clock's start, to a host that waits for three."""
    list_releases(files)
    tables = (files.read(CATALOGUE) or b"").replace(b"2026-03-01", b"2025-12-31")
    tables = tables.replace(b"2026-02-01", b"2025-12-01").replace(b"2026-01-01", b"2025-11-01")
    files.write(CATALOGUE, b"soak_days = 3\n" + tables)
    files.make_directories(paths.CONFIGURATION)
    files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(images("b").digests).payload)


SOAKS = "release 3.0 soaks until 2026-01-03 00:00 UTC"


def test_check_shows_until_when_a_release_soaks(files: Files, stand: Stand) -> None:
    operator = replace(OPERATOR, clock=FakeClock())
    soaking_list(files)
    stand("b")
    result = validated("mst-cli upgrade check", commands.check(operator))
    assert str(result.data["soaking_until"]).startswith("2026-01-03")
    assert any(
        line.startswith(f"Host:    the agent may not upgrade now: {SOAKS}") for line in lines_of(result)
    )
    # The agent's decision has the same reason.
    write_standing(files, decided("soaking", SOAKS))
    lines = lines_of(commands.check(operator))
    assert [line for line in lines if SOAKS in line] == [
        f"Waits:   {SOAKS} (soaking, as of {START:%Y-%m-%d %H:%M} UTC)"
    ]


def test_apply_takes_a_release_that_soaks_at_once(files: Files, stand: Stand) -> None:
    soaking_list(files)
    requests = stand("b")
    commands.apply(OPERATOR, None)
    assert requests == [("3.0", images("c").digests, None)]


def test_apply_takes_a_release_of_another_ring_by_name_only(files: Files, stand: Stand) -> None:
    list_releases(files)
    newest = (files.read(CATALOGUE) or b"") + b"ring = 1\n"
    files.write(CATALOGUE, b"ring = 2\n" + newest)
    requests = stand("a")
    commands.apply(OPERATOR, None)
    commands.apply(OPERATOR, "3.0")
    assert [name for name, _digests, _passed in requests] == ["2.0", "3.0"]
    files.write(CATALOGUE, b"ring = 2\n" + b"[[release]]" + newest.rpartition(b"[[release]]")[2])
    with refused(SetupError, "no-releases"):
        commands.apply(OPERATOR, None)


def test_settings_missing_in_graph_are_mentioned_once(files: Files, check: Check) -> None:
    verdict = UpgradeDecision("up-to-date", "release 3.0 is running")
    write_standing(files, standing(verdict, START, None))
    result = check()
    assert object_of(result, "decision")["unseen"] == ["approval", "releases", "state"]
    (first, second, third) = [line for line in lines_of(result) if "does not show" in line]
    assert first.startswith("Graph:   does not show an approval; approve with `mst-cli upgrade apply`")
    assert second.startswith("         does not show the releases of other servers")
    assert third.startswith("         does not show an upgrade under way or failed")
