"""`mst-cli upgrade history` and the end of `apply`: how many devices were there before, and came back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange.releases import CATALOGUE, Release
from mstunnel_setup.exchange.upgrade_history import HISTORY, Upgrade, UpgradeOutcome, write_history
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.upgrade import commands
from mstunnel_setup.operations.upgrade.run import UpgradeRequest
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.install.scenes import Scene
from tests.unit.operators import operator_of
from tests.unit.results import lines_of
from tests.unit.schemas import validate


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
    result = commands.history(operator_of(Path("/nowhere")))
    envelope = {"schema": "mstunnel/1", "command": "mst-cli upgrade history", "status": result.status}
    validate({**envelope, "data": result.data, "warnings": [], "errors": []})
    return [line.strip() for line in lines_of(result)]


def choose(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have `apply` choose this release."""
    wanted = images(name).digests
    release = Release(label=name, published=date(2026, 1, 1), server=wanted.server, agent=wanted.agent)
    monkeypatch.setattr(commands, "_chosen", lambda _catalogue, _name: release)


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
    files: Files, monkeypatch: pytest.MonkeyPatch, before: int | None, after: int | None, codes: list[str]
) -> None:
    done = upgrade("a", "b", sessions_before=before, sessions_after=after)
    monkeypatch.setattr(commands, "running", lambda _run: images("a"))
    monkeypatch.setattr(commands, "finish", lambda _run: None)
    monkeypatch.setattr(commands, "upgrade_to", lambda _run, _wish: done)
    choose(monkeypatch, "b")
    result = commands.apply(operator_of(Path("/nowhere")), None)
    assert [notice.code for notice in result.warnings] == codes
    warnings = [notice.data for notice in result.warnings]
    envelope = {"schema": "mstunnel/1", "command": "mst-cli upgrade apply", "status": result.status}
    validate({**envelope, "data": result.data, "warnings": warnings, "errors": []})


def test_it_says_where_a_server_is_held_until_it_is_not(files: Files) -> None:
    held = upgrade("c", "b", passes_over=images("c").digests)
    assert shown(files, held)[1].startswith("Held at b: ")
    assert len(shown(files, held, upgrade("b", "c"))) == 2


@pytest.mark.parametrize(("name", "passed_over"), [("1.0", True), ("2.0", False), (None, False)])
def test_an_earlier_release_that_is_chosen_by_name_passes_the_newest_over(
    files: Files, monkeypatch: pytest.MonkeyPatch, name: str | None, passed_over: bool
) -> None:
    table = '[[release]]\nlabel = "{}"\npublished = 2026-0{}-01\nserver = "{}"\nagent = "{}"\n'
    releases = [("1.0", 1, images("a").digests), ("2.0", 2, images("c").digests)]
    files.make_directories(CATALOGUE.rpartition("/")[0])
    text = "".join(table.format(label, month, found.server, found.agent) for label, month, found in releases)
    files.write(CATALOGUE, text.encode())
    wished: list[UpgradeRequest] = []

    def done(_run: object, wish: UpgradeRequest) -> Upgrade:
        wished.append(wish)
        return upgrade("b", wish.release, passes_over=wish.passes_over)

    monkeypatch.setattr(commands, "running", lambda _run: images("b"))
    monkeypatch.setattr(commands, "finish", lambda _run: None)
    monkeypatch.setattr(commands, "upgrade_to", done)
    result = commands.apply(operator_of(Path("/nowhere")), name)
    assert [wish.passes_over for wish in wished] == [images("c").digests if passed_over else None]
    assert result.data["held"] is passed_over
    assert any("Held at 1.0" in line for line in lines_of(result)) is passed_over


def test_a_rollback_of_an_interrupted_upgrade_goes_back_no_further(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes back by itself when it is finished; the upgrade before it was a good one."""
    write_history(files, history(upgrade("a", "b")))
    monkeypatch.setattr(commands, "running", lambda _run: images("b"))
    monkeypatch.setattr(commands, "finish", lambda _run: upgrade("b", "c", UpgradeOutcome.WENT_BACK))
    result = commands.rollback(operator_of(Path("/nowhere")))
    assert result.status == "changed"
    assert "was given up; the earlier release is in use." in lines_of(result)[0]


def test_an_interrupted_rollback_that_is_repeated_and_finished_is_reported_as_done(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = upgrade("b", "a", rejects_source=True)
    write_history(files, history(upgrade("a", "b"), finished))
    monkeypatch.setattr(commands, "running", lambda _run: images("a"))
    monkeypatch.setattr(commands, "finish", lambda _run: finished)
    result = commands.rollback(operator_of(Path("/nowhere")))
    assert result.status == "changed"
    assert "Release a is in use." in lines_of(result)[0]


@pytest.mark.parametrize("outcome", [UpgradeOutcome.NOT_BEGUN, UpgradeOutcome.WENT_BACK])
def test_an_interrupted_rollback_that_is_repeated_and_fails_is_reported_as_failed(
    files: Files, monkeypatch: pytest.MonkeyPatch, outcome: UpgradeOutcome
) -> None:
    finished = upgrade("b", "a", outcome, rejects_source=True, reason="it cannot be fetched")
    write_history(files, history(upgrade("a", "b"), finished))
    monkeypatch.setattr(commands, "running", lambda _run: images("b"))
    monkeypatch.setattr(commands, "finish", lambda _run: finished)
    with pytest.raises(SetupError) as caught:
        commands.rollback(operator_of(Path("/nowhere")))
    assert caught.value.code == "upgrade-failed"


@pytest.mark.parametrize(
    ("finished", "line", "codes"),
    [
        (upgrade("a", "b", sessions_before=2, sessions_after=0), "Release b is in use.", ["devices-away"]),
        (
            upgrade("b", "c", UpgradeOutcome.WENT_BACK),
            "upgrade to c was given up; the earlier release is in use",
            [],
        ),
    ],
)
def test_an_apply_that_only_finishes_an_interrupted_upgrade_reports_how_that_ended(
    files: Files, monkeypatch: pytest.MonkeyPatch, finished: Upgrade, line: str, codes: list[str]
) -> None:
    write_history(files, history(finished))
    monkeypatch.setattr(commands, "running", lambda _run: images("b"))
    monkeypatch.setattr(commands, "finish", lambda _run: finished)
    choose(monkeypatch, "b")
    result = commands.apply(operator_of(Path("/nowhere")), None)
    assert result.status == "changed"
    assert line in lines_of(result)[0]
    assert [notice.code for notice in result.warnings] == codes


def test_a_rollback_does_not_need_the_list_of_releases(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    wished: list[UpgradeRequest] = []
    write_history(files, history(upgrade("a", "b")))
    files.make_directories(CATALOGUE.rpartition("/")[0])
    files.write(CATALOGUE, b"[[release\n")
    monkeypatch.setattr(commands, "running", lambda _run: images("b"))
    monkeypatch.setattr(commands, "finish", lambda _run: None)

    def went_back(_run: Run, wish: UpgradeRequest) -> Upgrade:
        wished.append(wish)
        return upgrade("b", "a", rejects_source=True)

    monkeypatch.setattr(commands, "upgrade_to", went_back)
    commands.rollback(operator_of(Path("/nowhere")))
    assert [(wish.release, wish.digests) for wish in wished] == [("earlier", images("a").digests)]
