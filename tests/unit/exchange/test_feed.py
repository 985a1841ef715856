"""The release feed: a real repository on a real web server, and the feeds that must be refused."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.operations.upgrade.fetch_releases import Archive, Remote, refresh
from tests.refusals import refused
from tests.unit.exchange.publisher import Publisher, release, served
from tests.unit.present import present

NOW = datetime.now(UTC)
ROOT_FILE = "/etc/mstunnel-setup/release-feed-root.json"


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    found = Publisher(tmp_path)
    found.publish(release(1))
    return found


@pytest.fixture
def url(publisher: Publisher) -> Iterator[str]:
    with served(publisher) as address:
        yield address


class Server:
    """A server that follows the feed."""

    def __init__(self, root: Path, url: str) -> None:
        root.mkdir()
        self.files = Files(root)
        self.files.make_directories("/etc/mstunnel-setup")
        self.files.write(feed.SETTINGS, f'url = "{url}"\n'.encode())

    def trust(self, root: bytes) -> None:
        self.files.write(ROOT_FILE, root)

    def refresh(self, archive: Path | None = None, now: datetime = NOW) -> list[str]:
        named = present(feed.read_feed(self.files))
        http = HttpSession(Clock(), timeout=5, deadline=5)
        source = Archive(archive) if archive else Remote(named, http)
        return [item.name for item in refresh(self.files, named, source, now).releases]

    def offered(self, now: datetime = NOW) -> list[str]:
        return [item.name for item in feed.offered(self.files, now).releases]


@pytest.fixture
def server(publisher: Publisher, url: str, tmp_path: Path) -> Server:
    made = Server(tmp_path / "host", url)
    made.trust(publisher.root)
    return made


def check_refused(server: Server, reason: str | None = None, archive: Path | None = None) -> None:
    """Check that the refresh is refused for this reason and changes nothing on offer."""
    before = server.offered()
    with refused(SetupError, "feed-refused", match=reason):
        server.refresh(archive)
    assert server.offered() == before
    assert server.files.state(feed.WORK) is None


def test_valid_feed_is_offered_and_updated(publisher: Publisher, server: Server) -> None:
    assert server.offered() == []
    assert server.refresh() == ["2026-01-01"]
    publisher.publish(release(1), release(2))
    assert server.refresh() == ["2026-01-02", "2026-01-01"]
    assert server.offered() == ["2026-01-02", "2026-01-01"]
    assert server.refresh() == ["2026-01-02", "2026-01-01"]


def test_without_list_and_feed_nothing_is_offered(tmp_path: Path) -> None:
    assert feed.offered(Files(tmp_path), NOW).releases == ()


def test_a_list_of_the_administrator_takes_precedence(server: Server) -> None:
    server.refresh()
    server.files.write(CATALOGUE, release(9).encode())
    assert server.offered() == ["2026-01-09"]


def test_file_without_releases_sets_soak_and_ring_for_the_feed(publisher: Publisher, server: Server) -> None:
    publisher.publish(release(1), release(2, "ring = 2"), release(3, "ring = 1"))
    server.files.write(CATALOGUE, b"soak_days = 3\nring = 2\n")
    assert server.refresh() == ["2026-01-03", "2026-01-02", "2026-01-01"]
    catalogue = feed.offered(server.files, NOW)
    assert (present(catalogue.newest).name, catalogue.soak_days) == ("2026-01-02", 3)


def test_soak_time_counts_from_the_first_offer_to_this_host(publisher: Publisher, server: Server) -> None:
    server.files.write(CATALOGUE, b"soak_days = 3\nring = 2\n")
    publisher.publish(release(1), release(2, "ring = 1"))
    server.refresh()

    def until(place: int, now: datetime) -> datetime | None:
        catalogue = feed.offered(server.files, now)
        return catalogue.soaking_until(catalogue.releases[-place], now)

    later, ready = NOW + timedelta(days=2), NOW + timedelta(days=3)
    assert until(1, NOW) == ready
    server.refresh(now=later)
    assert until(1, later) == ready, "a refresh does not begin it again"
    assert until(1, ready) is None

    # Its soak time begins once the release reaches the ring of this host.
    publisher.publish(release(1), release(2, "ring = 2"))
    server.refresh(now=later)
    assert until(2, ready) == later + timedelta(days=3)

    # A clock that was ahead does not prolong it.
    server.refresh(now=NOW - timedelta(days=1))
    assert until(2, NOW) == NOW + timedelta(days=2)


def test_archive_is_verified_like_a_feed(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    archive = tmp_path / "feed.tar"
    assert server.refresh(archive) == ["2026-01-01"]
    early = tmp_path / "early.tar"
    shutil.copy(archive, early)
    publisher.publish(release(2))
    assert server.refresh(archive) == ["2026-01-02"]
    check_refused(server, "older", archive=early)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" * 500, bytes(5 << 20)])
def test_file_that_is_not_an_archive_is_refused(server: Server, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(SetupError) as caught:
        server.refresh(tmp_path / "x.tar")
    assert caught.value.code in ("feed-archive-invalid", "feed-refused")


def test_missing_archive_is_reported_without_errno(server: Server) -> None:
    with pytest.raises(SetupError, match="No such file") as caught:
        server.refresh(Path("/nonexistent"))
    assert "Errno" not in caught.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_unreadable_archive_is_not_reported_as_damaged(publisher: Publisher, tmp_path: Path) -> None:
    archive = publisher.directory.with_suffix(".tar")
    archive.chmod(0o600)
    os.seteuid(65534)
    try:
        with refused(FileError, "permission-denied") as caught:
            Archive(archive)
    finally:
        os.seteuid(0)
    assert str(archive) in caught.value.message


def test_an_older_version_is_refused(publisher: Publisher, server: Server) -> None:
    server.refresh()
    earlier = publisher.copy()
    publisher.publish(release(2))
    server.refresh()
    publisher.serve_again(earlier)
    check_refused(server, "older")


def test_expired_feed_is_refused_and_no_longer_offered(publisher: Publisher, server: Server) -> None:
    server.refresh()
    publisher.publish(release(2), days=1, now=NOW - timedelta(days=2))
    check_refused(server, "expired")
    assert server.offered(NOW + timedelta(days=13)) == ["2026-01-01"]
    assert server.offered(NOW + timedelta(days=15)) == []


def _change(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after))


def _target(publisher: Publisher) -> Path:
    (target,) = (publisher.directory / "targets").iterdir()
    return target


def _two_versions(publisher: Publisher) -> None:
    publisher.publish(release(2))
    metadata = publisher.directory / "metadata"
    (metadata / "2.targets.json").write_bytes((metadata / "1.targets.json").read_bytes())


def _timestamp(content: bytes) -> Callable[[Publisher], object]:
    return lambda publisher: (publisher.directory / "metadata/timestamp.json").write_bytes(content)


@pytest.mark.parametrize(
    ("known", "spoil", "why"),
    [
        (True, lambda it: it.publish(release(2), keys="keys of an attacker"), "not signed"),
        (True, lambda it: (it.directory / "metadata/2.root.json").write_bytes(it.root), None),
        (False, lambda it: os.truncate(_target(it), 40), "truncated"),
        (False, lambda it: _change(_target(it), "2026-01-01", "2026-01-31"), "not the signed one"),
        (False, _two_versions, None),
        (False, _timestamp(b" " * (1 << 20)), "longer"),
        (False, _timestamp(b""), None),
        (False, _timestamp(b"[]"), None),
        (False, _timestamp(b'{"signed": {}}'), None),
        (False, _timestamp(b"[" * 100_000), None),
        (False, _timestamp(b"\xff"), None),
    ],
    ids=["other keys", "root of other keys", "cut list", "another release", "parts of two versions", "no end",
         "empty", "list", "nothing signed", "deep", "no text"],
)  # fmt: skip
def test_manipulated_feed_is_refused(
    publisher: Publisher, server: Server, known: bool, spoil: Callable[[Publisher], object], why: str | None
) -> None:
    if known:
        server.refresh()
    spoil(publisher)
    check_refused(server, why)


def test_signed_but_invalid_list_is_refused(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    server.refresh()
    with refused(SetupError, "releases-invalid"):
        publisher.publish("[[release]]\n")


def test_unreachable_server_changes_nothing(server: Server) -> None:
    server.refresh()
    server.files.write(feed.SETTINGS, b'url = "http://127.0.0.1:9"\n')
    with refused(SetupError, "network-unreachable"):
        server.refresh()
    assert server.offered() == ["2026-01-01"]


class _Vanishing(Archive):
    """A feed whose directory on the server disappears in the middle of the refresh."""

    def __init__(self, path: Path, files: Files) -> None:
        super().__init__(path)
        self._server = files

    @override
    def _fetch(self, url: str) -> Iterator[bytes]:
        if "snapshot" in url:
            self._server.remove_tree(feed.WORK)
        return super()._fetch(url)


def test_disk_failure_during_a_refresh_is_an_error(
    publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    server.refresh()
    publisher.publish(release(2))
    named = present(feed.read_feed(server.files))
    with pytest.raises(FileError) as caught:
        refresh(server.files, named, _Vanishing(tmp_path / "feed.tar", server.files), NOW)
    assert feed.WORK in caught.value.message
    assert server.offered() == ["2026-01-01"]
    assert server.refresh() == ["2026-01-02"], "its trusted root is still known"


def test_without_a_trusted_root_nothing_is_fetched(server: Server) -> None:
    server.files.remove(ROOT_FILE)
    with refused(SetupError, "feed-root-missing"):
        server.refresh()


def test_another_trusted_root_starts_from_the_beginning(
    publisher: Publisher, server: Server, tmp_path: Path
) -> None:
    server.refresh()
    other = Publisher(tmp_path / "other")
    other.publish(release(5))
    publisher.serve_again(other.directory)
    check_refused(server)
    server.trust(other.root)
    assert server.offered() == [], "what the former publisher signed is offered no more"
    assert server.refresh() == ["2026-01-05"]


@pytest.mark.parametrize(
    ("address", "offered"),
    [("", []), ("https://mirror.example.com", ["2026-01-01"])],
    ids=["turned off", "another address of the same feed"],
)
def test_releases_are_offered_while_the_feed_is_followed(
    server: Server, address: str, offered: list[str]
) -> None:
    assert server.refresh() == server.offered() == ["2026-01-01"]
    server.files.write(feed.SETTINGS, f'url = "{address}"\n'.encode())
    assert server.offered() == offered


WRONG = ["", "url = 7", "url = [", 'url = "ftp://x"', 'url = "https://u:p@x"', 'url = "https://[x"']


@pytest.mark.parametrize("text", [*WRONG, 'url = "https://x"\nmore = 1'])
def test_invalid_settings_are_refused(server: Server, text: str) -> None:
    server.files.write(feed.SETTINGS, text.encode())
    with refused(SetupError, "feed-settings-invalid"):
        feed.read_feed(server.files)


@pytest.fixture
def own_feed(publisher: Publisher, url: str, monkeypatch: pytest.MonkeyPatch) -> feed.Feed:
    """Return the publisher's feed, with which the program was built."""
    own = feed.Feed(url, publisher.root.decode())
    monkeypatch.setattr(feed, "built_in_feed", lambda: own)
    return own


def test_checkout_has_no_built_in_feed() -> None:
    assert feed.built_in_feed() is None


def test_built_in_feed_needs_no_settings(own_feed: feed.Feed, server: Server) -> None:
    server.files.remove(feed.SETTINGS)
    server.files.remove(ROOT_FILE)
    assert feed.read_feed(server.files) == own_feed
    assert server.refresh() == ["2026-01-01"]


def test_settings_take_precedence_over_the_built_in_feed(
    own_feed: feed.Feed, server: Server, tmp_path: Path
) -> None:
    other = Publisher(tmp_path / "other")
    other.publish(release(5))
    server.trust(other.root)
    with served(other) as address:
        server.files.write(feed.SETTINGS, f'url = "{address}"\n'.encode())
        assert server.refresh() == ["2026-01-05"]


def test_address_without_a_root_is_a_mirror_of_the_built_in_feed(
    own_feed: feed.Feed, publisher: Publisher, server: Server
) -> None:
    server.files.remove(ROOT_FILE)
    with served(publisher) as mirror:
        server.files.write(feed.SETTINGS, f'url = "{mirror}"\n'.encode())
        assert feed.read_feed(server.files) == feed.Feed(mirror, own_feed.root)
        assert server.refresh() == ["2026-01-01"]


def test_missing_root_is_not_replaced_by_the_built_in_one(own_feed: feed.Feed, server: Server) -> None:
    server.files.write(feed.SETTINGS, f'url = "{own_feed.url}"\nroot = "/etc/none.json"\n'.encode())
    with refused(SetupError, "feed-root-missing"):
        server.refresh()


def test_empty_address_disables_the_built_in_feed(own_feed: feed.Feed, server: Server) -> None:
    server.files.write(feed.SETTINGS, b'url = ""\n')
    assert feed.read_feed(server.files) is None


@pytest.mark.parametrize("root", [ROOT_FILE, "/etc/mstunnel-setup/other.json"])
def test_another_host_gets_the_root_at_the_default_path(root: str, server: Server, tmp_path: Path) -> None:
    text = f'url = "https://releases.example.com"\nroot = "{root}"\n'
    server.files.write(feed.SETTINGS, text.encode())
    server.files.write(root, b"trusted")
    other = Files(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.make_directories("/etc/mstunnel-setup")
    for path, content in feed.portable_settings(server.files).items():
        other.write(path, content)
    assert feed.read_feed(other) == feed.Feed("https://releases.example.com", "trusted")


@pytest.mark.parametrize("text", ["", "url = 7", 'url = ""', 'url = "https://x"\nroot = "/etc/none.json"'])
def test_settings_without_a_root_are_copied_unchanged(server: Server, text: str) -> None:
    server.files.write(feed.SETTINGS, text.encode())
    server.files.remove(ROOT_FILE)
    assert feed.portable_settings(server.files) == {feed.SETTINGS: text.encode()}


def test_nothing_is_copied_to_another_host_without_settings(server: Server) -> None:
    server.files.remove(feed.SETTINGS)
    assert feed.portable_settings(server.files) == {}


def test_damaged_record_is_discarded(server: Server) -> None:
    server.refresh()
    server.files.write(feed.FEED_RECORD, json.dumps({"anchor": 7}).encode())
    assert server.offered() == []
    assert server.refresh() == ["2026-01-01"]
