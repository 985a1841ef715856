"""The keys of the release feed: which may sign it, and how they and its root are replaced."""

from datetime import timedelta
from pathlib import Path

import pytest

from scripts import ROOT
from scripts.release import feed
from tests.unit.exchange.publisher import Publisher, release
from tests.unit.exchange.test_feed import NOW, Server, check_refused, publisher, server, url
from tests.unit.packaging.test_release import run

__all__ = ["publisher", "server", "url"]


def signed(monkeypatch: pytest.MonkeyPatch, publisher: Publisher, keys: Path, *options: str) -> None:
    """`python -m scripts.release.feed` for what a publisher has."""
    catalogue = publisher.directory.with_name("catalogue.toml")
    words = [str(publisher.directory), f"--catalogue={catalogue}", f"--keys={keys}", *options]
    monkeypatch.setattr("sys.argv", ["feed", *words])
    feed.main()


@pytest.fixture
def keys(publisher: Publisher) -> Path:
    return publisher.directory.with_name("keys")


def test_servers_follow_the_next_root_and_the_key_that_it_names(
    publisher: Publisher, server: Server, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refresh()
    (keys / "release.pem").unlink()
    signed(monkeypatch, publisher, keys, "--renew-root")
    assert server.refresh() == server.offered() != []
    assert (publisher.directory / "metadata/2.root.json").exists()


def test_a_feed_whose_root_has_ended_is_served_again_by_the_next(
    server: Server, publisher: Publisher, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (publisher.directory / "metadata/1.root.json").unlink()
    publisher.publish(release(1), now=NOW - timedelta(days=3 * 365))
    publisher.publish(release(2))
    server.trust(publisher.root)
    check_refused(server, "expired")
    signed(monkeypatch, publisher, keys, "--renew-root")
    assert server.refresh() != []


def test_the_end_of_a_root_is_announced(
    publisher: Publisher, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed(monkeypatch, publisher, keys)
    assert capsys.readouterr().out == ""
    (publisher.directory / "metadata/1.root.json").unlink()
    publisher.publish(release(1), now=NOW - timedelta(days=600))
    signed(monkeypatch, publisher, keys)
    assert "renew the root" in capsys.readouterr().out


@pytest.mark.parametrize("there", [True, False], ids=["another", "none"])
def test_key_that_the_root_does_not_name_signs_nothing(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    other = tmp_path / "other"
    if there:
        feed.signer(other / "release.pem")
    before = publisher.copy()
    with pytest.raises(SystemExit, match="is not the key that the root"):
        signed(monkeypatch, publisher, other)
    assert contents(publisher.directory) == contents(before)
    assert (other / "release.pem").exists() is there


def test_only_the_key_of_the_root_makes_the_next(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.signer(tmp_path / "other/root.pem")
    with pytest.raises(SystemExit, match="is not the key of the root"):
        signed(monkeypatch, publisher, tmp_path / "other", "--renew-root")
    assert not (publisher.directory / "metadata/2.root.json").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_first_feed_is_an_empty_list_in_a_new_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, dist = tmp_path / "site/releases.toml", tmp_path / "dist"
    words = [f"{tmp_path}/site/feed", f"--catalogue={catalogue}", f"--keys={tmp_path}/keys", f"--add={dist}"]
    monkeypatch.setattr("sys.argv", ["feed", *words])
    feed.main()
    assert catalogue.read_text() == ""
    assert (tmp_path / "site/feed/metadata/1.root.json").exists()
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["release.pem", "root.pem"]


def test_git_ignores_keys_and_feed() -> None:
    written = ["keys/root.pem", "keys/release.pem", "site/releases.toml", "site/feed.tar"]
    shown = run("git", "check-ignore", *written, directory=ROOT)
    assert shown.stdout.split() == written


@pytest.mark.parametrize("directory", ["site/feed", "site/feed/"])
def test_make_finds_the_list_for_any_spelling_of_the_directory(directory: str) -> None:
    shown = run("make", "--dry-run", "feed", f"FEED_DIR={directory}", "KEYS=keys", directory=ROOT)
    assert " --catalogue site/releases.toml " in shown.stdout
