"""A backup that is made after an upgrade brings the release that runs to a host that has nothing of it."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mstunnel_setup.base import paths
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Digests
from mstunnel_setup.exchange.upgrade_history import HISTORY, read_history
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.backup import unpack
from tests.crash import plugin
from tests.crash.arena import Arena, Ended, differences
from tests.crash.engine import DEAD, SERVER
from tests.crash.kill import KILLED
from tests.crash.test_upgrade import AGENT, GOOD

FEED = feed.Feed("https://releases.example.com/feed", "trusted root\n")
LIMITS = '{"disk_space": {"healthy": 9, "unhealthy": 4}}\n'


def follow(arena: Arena) -> None:
    """Have the gateway follow a release feed whose root is a file of this host."""
    root = arena.root / "etc/site/root.json"
    root.parent.mkdir()
    root.write_text(FEED.root)
    settings = f'url = "{FEED.url}"  # of the publisher\nroot = "/etc/site/root.json"\n'
    arena.place(feed.SETTINGS).write_text(settings)


def restore(arena: Arena, backup: Path, *arguments: str, **options: Any) -> Ended:
    """The restoration of `backup` on a host that has nothing."""
    return arena.answered("mst-cli", "restore", str(backup), "--trust-backup", *arguments, **options)


@pytest.fixture
def backup(arena: Arena, private: Path) -> Path:
    """Of a gateway that took one release, and went back from the next one."""
    place = private / "backup.tar.gz"
    arena.install().checked()
    arena.place(paths.HEALTH_THRESHOLDS).write_text(LIMITS)
    for label, image in (("2.0", GOOD), ("3.0", DEAD)):
        arena.offer(label, image, AGENT)
        arena.run("mst-cli", "upgrade", "apply")
    follow(arena)
    arena.run("mst-cli", "backup", str(place)).checked()
    return place


def test_another_host_runs_the_release_that_ran(arena: Arena, backup: Path) -> None:
    manifest, _files = unpack(backup.read_bytes())
    answers = manifest["answers"]
    assert isinstance(answers, dict)
    assert str(answers["images.server"]).endswith(GOOD)
    assert "images.archive" not in answers, "a file of the old host"

    catalogue = arena.place(CATALOGUE).read_text()
    arena.reset()
    restore(arena, backup).checked()

    running = arena.daemon.state()["containers"][SERVER]["image"]
    assert running.endswith(GOOD), running
    assert arena.place(paths.HEALTH_THRESHOLDS).read_text() == LIMITS
    assert arena.place(CATALOGUE).read_text() == catalogue
    assert feed.read_feed(Files(arena.root)) == FEED
    history = read_history(Files(arena.root))
    assert [upgrade.outcome for upgrade in history.upgrades] == ["done", "went-back"]
    assert history.failed == {Digests(DEAD, AGENT)}, "what was rejected there is rejected here"

    arena.uninstall().checked()
    assert not arena.place(HISTORY).exists()
    for path in (CATALOGUE, feed.SETTINGS, feed.ROOT):
        assert not arena.place(path).exists()


def test_backup_holds_roots_that_were_a_file(
    arena: Arena, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, roots = private / "backup.tar.gz", private / "ca.pem"
    tenant = YAML(typ="safe").load(arena.answers)["tenant"]
    shutil.copy(tenant["ca_file"], roots)
    arena.write_answers({"tenant": {**tenant, "ca_file": str(roots)}})
    arena.install().checked()
    arena.run("mst-cli", "backup", str(place)).checked()
    roots.unlink()
    arena.reset()
    del tenant["ca_file"]
    arena.write_answers({"tenant": tenant})
    before = arena.state()

    refused = restore(arena, place)
    assert (refused.code, refused.error) == (2, "backup-ca-file-missing")
    assert arena.state() == before

    hint = refused.hint
    unpack_command, option = re.findall(r"`(.+?)`", hint)
    monkeypatch.chdir(private)
    subprocess.run(["sh", "-c", unpack_command], check=True)
    named = private / option.removeprefix("--ca-file ")
    restore(arena, place, "--ca-file", str(named)).checked()


def state(arena: Arena) -> dict[str, Any]:
    """Everything but earlier versions of an object."""
    found = arena.state()
    for entry in found["receipt"]["entries"].values():
        entry[2] = entry[2][-1:]
    return found


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_killed_restore_continues_or_leaves_nothing(arena: Arena, backup: Path, everything: bool) -> None:
    arena.reset()
    before = arena.state()
    restore(arena, backup).checked()  # it imports what later ones find imported
    arena.reset()
    points = restore(arena, backup).points
    golden = state(arena)
    failed: list[str] = []
    for number in range(1, len(points) + 1, 1 if everything else len(points) // 12):
        complaints: list[str] = []
        arena.reset()
        killed = restore(arena, backup, kill_at=number)
        complaints += [] if killed.code == KILLED else [f"not killed: exit {killed.code}"]
        again = restore(arena, backup)
        if again.code and again.error != "already-installed":
            complaints.append(f"given once more: exit {again.code}: {again.stdout[-400:]}")
        complaints += differences(golden, state(arena))
        arena.reset()
        restore(arena, backup, kill_at=number)
        removed = arena.uninstall()
        complaints += [f"uninstall: exit {removed.code}: {removed.stdout[-400:]}"] if removed.code else []
        complaints += differences(before, arena.state())
        plugin.record("commands", command="restore", point=number, of=len(points), complaints=complaints)
        failed += [f"point {number} ({points[number - 1]}): {text}" for text in complaints]
    assert not failed, "\n".join(failed)


def test_key_left_by_a_killed_restore_goes_with_the_next_run(arena: Arena, backup: Path) -> None:
    arena.reset()
    number = next(
        number
        for number, point in enumerate(restore(arena, backup).points, 1)
        if point.startswith("POST") and "oauth2" not in point
    )
    arena.reset()
    assert restore(arena, backup, kill_at=number).code == KILLED
    assert arena.place(paths.RESTORED).exists()
    arena.install()
    assert not arena.place(paths.RESTORED).exists()


def test_another_backup_does_not_continue_a_restoration(arena: Arena, backup: Path, private: Path) -> None:
    other = private / "other.tar.gz"
    other.write_bytes(gzip.compress(gzip.decompress(backup.read_bytes()), mtime=1))
    arena.reset()
    number = len(restore(arena, backup).points) // 2
    arena.reset()
    assert restore(arena, backup, kill_at=number).code == KILLED
    refused = restore(arena, other)
    assert (refused.code, refused.error) == (2, "already-installed")
