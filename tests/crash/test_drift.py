"""Between stop and resume somebody else changes something; and journals of older and newer releases (P1)."""

import json
import shutil
from pathlib import Path

import pytest

from mstunnel_setup import paths
from mstunnel_setup.engine.receipt import fold
from tests.crash.arena import Arena, Ended, differences
from tests.crash.kill import Scene

_JOURNAL = f"{paths.STATE}/journal.jsonl"
_RELEASES = sorted((Path(__file__).parent / "releases").glob("*.jsonl"))


def place(arena: Arena, path: str) -> Path:
    """Where a path of the host really is."""
    return arena.root / path.lstrip("/")


def stopped(scene: Scene, label: str) -> None:
    """An installation killed at the first point whose name contains `label`."""
    number = next(number for number, name in enumerate(scene.points, 1) if label in name)
    assert scene.arena.install(kill_at=number).code == -9


def done(ended: Ended) -> Ended:
    """The run, which has to have succeeded."""
    assert ended.code == 0, ended.stdout
    return ended


def test_an_edit_of_env_sh_is_kept(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "engine pull")
    with place(arena, paths.ENVIRONMENT).open("a") as stream:
        stream.write("MINE=1\n")
    done(arena.install())
    assert "MINE=1" in place(arena, paths.ENVIRONMENT).read_text()


def test_a_file_edited_by_somebody_else_survives_the_uninstallation_and_is_named(arena: Arena) -> None:
    done(arena.install())
    place(arena, paths.OIDC_JSON).write_text("theirs\n")
    removed = done(arena.uninstall())
    assert place(arena, paths.OIDC_JSON).read_text() == "theirs\n"
    assert any(paths.OIDC_JSON in warning["message"] for warning in removed.envelope["warnings"])


@pytest.mark.parametrize("container", [paths.SERVER, paths.AGENT])
def test_a_removed_container_is_made_again(fresh: Scene, arena: Arena, container: str) -> None:
    done(arena.install())
    arena.daemon.answer({"do": "remove", "name": container})
    again = done(arena.install())
    assert f"run container {container}" in str(again.envelope["data"]["steps"])
    assert differences(fresh.golden, arena.state()) == []


def test_a_removed_configuration_folder_does_not_stop_the_uninstallation(fresh: Scene, arena: Arena) -> None:
    done(arena.install())
    shutil.rmtree(place(arena, paths.CONFIGURATION))
    done(arena.uninstall())
    assert differences(fresh.before, arena.state()) == []


def test_a_container_of_somebody_else_is_refused_by_name(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "engine create")
    image = "registry.crash.test/other@sha256:" + "3" * 64
    arena.daemon.answer(
        {
            "do": "create",
            "spec": {"name": paths.SERVER, "image": image, "volumes": [{"host": "/"}]},
            "labels": {},
        }
    )
    refused = arena.install()
    assert (refused.code, refused.error) == (7, "container-foreign")
    assert paths.SERVER in refused.envelope["errors"][0]["message"]


def test_another_host_name_is_refused_and_named(arena: Arena) -> None:
    arena.write_answers({"server_name": None})
    done(arena.install(host_name="first"))
    registered = arena.tenant()
    refused = arena.install(host_name="second")
    assert (refused.code, refused.error) == (6, "server-renamed")
    assert "first" in refused.envelope["errors"][0]["message"]
    assert arena.tenant() == registered
    assert done(arena.install(host_name="first")).envelope["status"] == "unchanged"


def test_an_old_snapshot_of_the_server_is_refused_by_name(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "POST")
    snapshot = arena.directory / "snapshot"
    shutil.copytree(arena.root, snapshot, symlinks=True)
    done(arena.install())
    shutil.rmtree(arena.root)
    shutil.move(snapshot, arena.root)
    refused = arena.install()
    assert (refused.code, refused.error) == (6, "application-name-taken")
    assert "gw1" in refused.envelope["errors"][0]["message"]


@pytest.mark.parametrize("release", _RELEASES, ids=lambda path: path.stem)
def test_the_journal_of_every_release_still_loads(arena: Arena, release: Path) -> None:
    place(arena, paths.STATE).mkdir()
    shutil.copy(release, place(arena, _JOURNAL))
    status = done(arena.run("mstunnel-setup", "status"))
    receipt = fold(json.loads(line) for line in release.read_text().splitlines())
    assert len(receipt.entries) > 25
    assert status.envelope["data"]["installed"] is True


def test_the_journal_of_a_newer_release_is_refused_with_a_hint(arena: Arena) -> None:
    done(arena.install())
    before = place(arena, _JOURNAL).read_bytes()
    newer = Path(__file__).parent / "releases/newer.txt"
    place(arena, _JOURNAL).write_text(newer.read_text())
    for ended in (arena.install(), arena.uninstall(), arena.run("mstunnel-setup", "status")):
        assert (ended.code, ended.error) == (10, "journal-newer")
        assert "newer" in ended.envelope["errors"][0]["hint"]
    place(arena, _JOURNAL).write_bytes(before)
    assert done(arena.install()).envelope["status"] == "unchanged"


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_damaged_journal_is_refused_and_left_alone(arena: Arena, position: float) -> None:
    done(arena.install())
    content = bytearray(place(arena, _JOURNAL).read_bytes())
    content[int(len(content) * position)] ^= 1
    place(arena, _JOURNAL).write_bytes(content)
    for ended in (arena.install(), arena.uninstall()):
        assert (ended.code, ended.error) == (10, "journal-damaged")
    assert place(arena, _JOURNAL).read_bytes() == bytes(content)
