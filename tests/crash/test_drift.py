"""Between stop and resume others change something; and journals of older and newer releases (P1)."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.base import paths
from mstunnel_setup.transaction.receipt import fold
from tests.crash.arena import Arena, command, differences
from tests.crash.kill import KILLED, Scene, point
from tests.crash.tenant import environment
from tests.parameters import sample
from tests.testbed.paths import JOURNAL

# One of each kind: JSON, text, the mark of the accepted terms, a copied root.
_EDITED = (
    paths.OIDC_JSON,
    paths.AGENT_INFO,
    paths.IMAGES_CONFIGURED,
    paths.EULA_ACCEPTED,
    paths.SITE_CERTIFICATE,
    f"{paths.CA_TRUST}/tenant-ca.crt",
)
_RELEASES = sorted((Path(__file__).parent / "releases").glob("*.jsonl"))


def stopped(scene: Scene, label: str) -> None:
    """An installation killed at the first point whose name contains `label`."""
    assert scene.arena.install(kill_at=point(scene.points, label)).code == KILLED


def test_an_edit_of_env_sh_is_kept(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "engine pull")
    with arena.place(paths.ENVIRONMENT).open("a") as stream:
        stream.write("MINE=1\n")
    arena.install().checked()
    assert "MINE=1" in arena.place(paths.ENVIRONMENT).read_text()


def test_edited_file_survives_the_uninstallation_and_is_named(arena: Arena) -> None:
    arena.install().checked()
    arena.place(paths.OIDC_JSON).write_text("theirs\n")
    removed = arena.uninstall().checked()
    assert arena.place(paths.OIDC_JSON).read_text() == "theirs\n"
    assert any(paths.OIDC_JSON in warning["message"] for warning in removed.envelope["warnings"])


def edited(arena: Arena, path: str) -> str:
    """Add a line to a file of ours, as an editor does."""
    with arena.place(path).open("a") as stream:
        stream.write("# theirs\n")
    return arena.place(path).read_text()


@pytest.mark.parametrize("path", _EDITED)
def test_an_edited_file_of_ours_is_named_and_not_overwritten(fresh: Scene, arena: Arena, path: str) -> None:
    arena.install().checked()
    original, theirs = arena.place(path).read_text(), edited(arena, path)
    refused = arena.install()
    assert (refused.code, refused.error) == (11, "changed-by-others")
    assert path in refused.message
    assert "plan" in refused.hint
    assert arena.place(path).read_text() == theirs
    arena.place(path).rename(arena.directory / "theirs")
    arena.install().checked()
    assert arena.place(path).read_text() == original
    assert differences(fresh.golden, arena.state()) == []


def test_a_file_edited_between_stop_and_resume_is_found(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "engine create")
    theirs = edited(arena, paths.OIDC_JSON)
    assert arena.install().error == "changed-by-others"
    assert arena.place(paths.OIDC_JSON).read_text() == theirs


def test_an_edited_unit_is_named_and_not_overwritten(variant: Callable[[str], Scene]) -> None:
    scene = variant("systemd")
    scene.reset()
    scene.arena.install().checked()
    unit = f"{paths.QUADLETS}/{paths.SERVER}.container"
    theirs = edited(scene.arena, unit)
    refused = scene.arena.install()
    assert (refused.code, refused.error) == (11, "changed-by-others")
    assert unit in refused.message
    assert scene.arena.place(unit).read_text() == theirs


def test_a_link_that_was_changed_is_found(arena: Arena) -> None:
    arena.install().checked()
    active = arena.place(paths.ACTIVE)
    active.unlink()
    active.symlink_to("/somewhere/else")
    refused = arena.install()
    assert (refused.code, refused.error) == (11, "changed-by-others")
    assert paths.ACTIVE in refused.message
    assert str(active.readlink()) == "/somewhere/else"


@pytest.mark.parametrize("name", sample(["fresh", "systemd", "everything"], kept=["systemd"]))
def test_file_in_place_of_a_link_is_named_and_kept(variant: Callable[[str], Scene], name: str) -> None:
    """`sed -i` puts one there."""
    scene = variant(name)
    scene.reset()
    arena = scene.arena
    arena.install().checked()
    links = [path for path in arena.root.rglob("*") if path.is_symlink()]
    assert len(links) >= 2
    for link in links:
        target = link.readlink()
        link.unlink()
        link.write_text("# theirs\n")
        refused = arena.install()
        assert (refused.code, refused.error) == (11, "changed-by-others"), (link, refused.stdout)
        assert f"/{link.relative_to(arena.root)}" in refused.message
        assert link.read_text() == "# theirs\n"
        link.unlink()
        link.symlink_to(target)
    links[0].unlink()
    links[0].write_text("# theirs\n")
    removed = arena.uninstall().checked()
    assert links[0].read_text() == "# theirs\n"
    assert f"/{links[0].relative_to(arena.root)}" in str(removed.envelope["warnings"])


@pytest.mark.parametrize("agreed", [True, False])
def test_at_a_terminal_one_question_decides(fresh: Scene, arena: Arena, agreed: bool) -> None:
    arena.install().checked()
    theirs = edited(arena, paths.OIDC_JSON)
    code, shown = at_terminal(arena, "y" if agreed else "n")
    assert shown.count("[y/N]") == 1
    assert f"{paths.OIDC_JSON} was changed outside mstunnel-setup" in " ".join(shown.split())
    if not agreed:
        assert (code, arena.place(paths.OIDC_JSON).read_text()) == (11, theirs)
        return
    assert code == 0
    saved = arena.place(f"{paths.STATE}/saved")
    assert theirs in [path.read_text() for path in saved.iterdir()]
    shutil.rmtree(saved)
    assert differences({**fresh.golden, "receipt": 0}, {**arena.state(), "receipt": 0}) == []


def at_terminal(arena: Arena, answer: str) -> tuple[int, str]:
    """Run the program at a terminal and answer its question; exit code and what the terminal showed."""
    ours, theirs = pty.openpty()
    request = arena.request("mstunnel-setup")
    request["arguments"] = ["--answers", str(arena.answers), "--root", str(arena.root)]
    started = command(request)
    process = subprocess.Popen(started, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    return process.wait(30), shown.decode()


@pytest.mark.parametrize("container", [paths.SERVER, paths.AGENT])
def test_a_removed_container_is_made_again(fresh: Scene, arena: Arena, container: str) -> None:
    arena.install().checked()
    arena.daemon.answer({"do": "remove", "name": container})
    again = arena.install().checked()
    assert f"run container {container}" in str(again.envelope["data"]["steps"])
    assert differences(fresh.golden, arena.state()) == []


def test_uninstallation_works_without_the_configuration(fresh: Scene, arena: Arena) -> None:
    arena.install().checked()
    shutil.rmtree(arena.place(paths.CONFIGURATION))
    arena.uninstall().checked()
    assert differences(fresh.before, arena.state()) == []


def test_a_foreign_container_is_refused_by_name(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "engine create")
    image = "registry.crash.test/other@sha256:" + "3" * 64
    arena.daemon.answer({"do": "pull", "reference": image})
    arena.daemon.answer(
        {
            "do": "create",
            "spec": {"name": paths.SERVER, "image": image, "volumes": [{"host": "/"}]},
            "labels": {},
        }
    )
    refused = arena.install()
    assert (refused.code, refused.error) == (7, "container-foreign")
    assert paths.SERVER in refused.message


def test_another_host_name_is_refused_and_named(arena: Arena) -> None:
    arena.write_answers({"server_name": None})
    arena.install(host_name="first").checked()
    registered = arena.tenant.ours()
    refused = arena.install(host_name="second")
    assert (refused.code, refused.error) == (6, "server-renamed")
    assert "first" in refused.message
    assert arena.tenant.ours() == registered
    assert arena.install(host_name="first").checked().envelope["status"] == "unchanged"


def test_an_old_snapshot_of_the_server_is_refused_by_name(fresh: Scene, arena: Arena) -> None:
    stopped(fresh, "POST")
    snapshot = arena.directory / "snapshot"
    shutil.copytree(arena.root, snapshot, symlinks=True)
    arena.install().checked()
    shutil.rmtree(arena.root)
    shutil.move(snapshot, arena.root)
    refused = arena.install()
    assert (refused.code, refused.error) == (6, "application-name-taken")
    assert "gw1" in refused.message


@pytest.mark.parametrize("release", _RELEASES, ids=lambda path: path.stem)
def test_the_journal_of_every_release_still_loads(arena: Arena, release: Path) -> None:
    arena.place(paths.STATE).mkdir()
    shutil.copy(release, arena.place(JOURNAL))
    status = arena.run("mstunnel-setup", "status").checked()
    receipt = fold(json.loads(line) for line in release.read_text().splitlines())
    assert len(receipt.entries) > 25
    # What is left behind later must be known to undo it.
    assert all(CODEC.load(version) for entry in receipt.entries.values() for version in entry.versions)
    # What it did counts; what only later releases do is still to be done.
    assert set(status.envelope["data"]["done"]) == set(receipt.steps)
    assert status.envelope["data"]["next"] not in receipt.steps


def test_the_journal_of_a_newer_release_is_refused_with_a_hint(arena: Arena) -> None:
    arena.install().checked()
    before = arena.place(JOURNAL).read_bytes()
    newer = Path(__file__).parent / "releases/newer.txt"
    arena.place(JOURNAL).write_text(newer.read_text())
    for ended in (arena.install(), arena.uninstall(), arena.run("mstunnel-setup", "status")):
        assert (ended.code, ended.error) == (10, "journal-newer")
        assert "a later one" in ended.hint
    arena.place(JOURNAL).write_bytes(before)
    assert arena.install().checked().envelope["status"] == "unchanged"


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_damaged_journal_is_refused_and_left_alone(arena: Arena, position: float) -> None:
    arena.install().checked()
    content = bytearray(arena.place(JOURNAL).read_bytes())
    content[int(len(content) * position)] ^= 1
    arena.place(JOURNAL).write_bytes(content)
    for ended in (arena.install(), arena.uninstall()):
        assert (ended.code, ended.error) == (10, "journal-damaged")
    assert arena.place(JOURNAL).read_bytes() == bytes(content)
