"""`mst-cli upgrade history` and the end of `apply`: how many devices were there before, and came back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange.releases import CATALOGUE
from mstunnel_setup.exchange.upgrade_history import HISTORY, Upgrade, UpgradeOutcome, write_history
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.upgrade import commands
from mstunnel_setup.operations.upgrade.run import UpgradeRequest
from tests.refusals import refused
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.install.scenes import Scene
from tests.unit.operations.conftest import validated
from tests.unit.operators import operator_of
from tests.unit.results import lines_of


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    found = Files(tmp_path)
    found.make_directories(HISTORY.rpartition("/")[0])

    @contextmanager
    def opened(*_arguments: object, **_options: object) -> Iterator[Run]:
        yield Scene(tmp_path).opened()

    monkeypatch.setattr(commands, "open_run", opened)
    return found


def shown(files: Files, *upgrades: Upgrade) -> list[str]:
    """What the command prints; its JSON keeps the schema."""
    write_history(files, history(*upgrades))
    result = validated("mst-cli upgrade history", commands.history(operator_of(Path("/nowhere"))))
    return [line.strip() for line in lines_of(result)]


Stand: TypeAlias = Callable[..., list[UpgradeRequest]]


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Which images run, what finishing ends, and what becomes of an upgrade; returns the requests for one."""

    def prepare(runs: str, finished: Upgrade | None = None, **then: Any) -> list[UpgradeRequest]:
        requests: list[UpgradeRequest] = []

        def upgrade_to(_run: Run, request: UpgradeRequest) -> Upgrade:
            requests.append(request)
            return upgrade("a", "b", **{"passes_over": request.passes_over, **then})

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
    assert shown(files, first)[1] == "Sessions: 3 before, 2 back when it was proved."


def test_without_a_count_nothing_is_shown(files: Files) -> None:
    assert len(shown(files, upgrade("a", "b"))) == 1


def test_an_upgrade_that_is_under_way_keeps_the_addresses_to_itself(files: Files) -> None:
    shown(files, upgrade("a", "b", None, devices=("192.0.2.7",), sessions_before=1))
    assert "devices" not in str(commands.history(operator_of(Path("/nowhere"))).data)


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [(None, None, []), (0, None, []), (2, 1, []), (2, 0, ["devices-away"])],
)
def test_a_release_that_no_device_has_proved_warns(
    files: Files, stand: Stand, before: int | None, after: int | None, codes: list[str]
) -> None:
    list_releases(files)
    stand("a", sessions_before=before, sessions_after=after)
    result = validated("mst-cli upgrade apply", commands.apply(operator_of(Path("/nowhere")), None))
    assert [notice.code for notice in result.warnings] == codes


def test_it_says_where_a_server_is_held_until_it_is_not(files: Files) -> None:
    held = upgrade("c", "b", passes_over=images("c").digests)
    assert shown(files, held)[1].startswith("Held at b: ")
    assert len(shown(files, held, upgrade("b", "c"))) == 2


@pytest.mark.parametrize(("name", "passed_over"), [("1.0", True), ("3.0", False), (None, False)])
def test_an_earlier_release_that_is_chosen_by_name_passes_the_newest_over(
    files: Files, stand: Stand, name: str | None, passed_over: bool
) -> None:
    list_releases(files)
    requests = stand("b")
    result = commands.apply(operator_of(Path("/nowhere")), name)
    assert [request.passes_over for request in requests] == [images("c").digests if passed_over else None]
    assert result.data["held"] is passed_over
    assert any("Held at b" in line for line in lines_of(result)) is passed_over


ROLLED_BACK = upgrade("b", "a", rejects_source=True)


@pytest.mark.parametrize(
    ("earlier", "runs", "finished", "line"),
    [
        # It goes back by itself when it is finished; the upgrade before it was a good one.
        ([upgrade("a", "b")], "b", upgrade("b", "c", UpgradeOutcome.WENT_BACK), "was given up; the earlier"),
        ([upgrade("a", "b"), ROLLED_BACK], "a", ROLLED_BACK, "Release a is in use."),
    ],
)
def test_a_rollback_that_finishes_an_interrupted_upgrade_goes_back_no_further(
    *, files: Files, stand: Stand, earlier: list[Upgrade], runs: str, finished: Upgrade, line: str
) -> None:
    write_history(files, history(*earlier))
    stand(runs, finished)
    result = commands.rollback(operator_of(Path("/nowhere")))
    assert (result.status, line in lines_of(result)[0]) == ("changed", True)


@pytest.mark.parametrize("outcome", [UpgradeOutcome.NOT_BEGUN, UpgradeOutcome.WENT_BACK])
def test_an_interrupted_rollback_that_is_repeated_and_fails_is_reported_as_failed(
    files: Files, stand: Stand, outcome: UpgradeOutcome
) -> None:
    finished = upgrade("b", "a", outcome, rejects_source=True, reason="it cannot be fetched")
    write_history(files, history(upgrade("a", "b"), finished))
    stand("b", finished)
    with refused(SetupError, "upgrade-failed"):
        commands.rollback(operator_of(Path("/nowhere")))


@pytest.mark.parametrize(
    ("finished", "line", "codes"),
    [
        (upgrade("a", "b", sessions_before=2, sessions_after=0), "Release b is in use.", ["devices-away"]),
        (
            upgrade("b", "c", UpgradeOutcome.WENT_BACK),
            "upgrade to c was given up; the earlier release is",
            [],
        ),
    ],
)
def test_an_apply_that_only_finishes_an_interrupted_upgrade_reports_how_that_ended(
    files: Files, stand: Stand, finished: Upgrade, line: str, codes: list[str]
) -> None:
    write_history(files, history(finished))
    list_releases(files)
    stand("b", finished)
    result = commands.apply(operator_of(Path("/nowhere")), "2.0")
    assert (result.status, line in lines_of(result)[0]) == ("changed", True)
    assert [notice.code for notice in result.warnings] == codes


def test_a_rollback_does_not_need_the_list_of_releases(files: Files, stand: Stand) -> None:
    write_history(files, history(upgrade("a", "b")))
    list_releases(files, "[[release\n")
    requests = stand("b", rejects_source=True)
    commands.rollback(operator_of(Path("/nowhere")))
    assert [(item.release, item.digests) for item in requests] == [("earlier", images("a").digests)]
