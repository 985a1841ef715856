"""`mst-cli upgrade refresh|import`, and the monitor that follows the feed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, StepError
from mstunnel_setup.exchange import mailbox, release_feed
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.monitor.loop import GatewayMonitor
from mstunnel_setup.operations.upgrade import fetch_releases
from mstunnel_setup.operations.upgrade.fetch_releases import fetch_now
from mstunnel_setup.transaction.lock import exclusive
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.exchange.publisher import Publisher, release, served
from tests.unit.operations.conftest import validated
from tests.unit.operations.monitor.conftest import Watched, opened_by_monitor
from tests.unit.operations.rootless import ACCOUNT, HandedOverError, root_beside_account
from tests.unit.operators import operator_of


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    found = Publisher(tmp_path / "publisher")
    found.publish(release(1), release(2, "percent = 0"))
    return found


@pytest.fixture
def root(publisher: Publisher, tmp_path: Path) -> Iterator[Path]:
    """A server that follows the feed."""
    with served(publisher) as url:
        (tmp_path / "host").mkdir()
        files = Files(tmp_path / "host")
        for directory in ("/etc/mstunnel-setup", "/run", paths.OUTBOX):
            files.make_directories(directory)
        files.write(release_feed.SETTINGS, f'url = "{url}"\n'.encode())
        files.write("/etc/mstunnel-setup/release-feed-root.json", publisher.root)
        yield tmp_path / "host"


@pytest.mark.parametrize("command", ["refresh", "import"])
def test_both_ways_bring_the_same_releases(root: Path, publisher: Publisher, command: str) -> None:
    operator = operator_of(root)
    archive = publisher.directory.with_suffix(".tar")
    validated(f"mst-cli upgrade {command}", fetch_now(operator, None if command == "refresh" else archive))
    assert [item.name for item in release_feed.offered(Files(root), operator.clock.now()).releases] == [
        "2026-01-02",
        "2026-01-01",
    ]


def test_without_a_feed_the_file_to_write_is_named(tmp_path: Path) -> None:
    with refused(SetupError, "feed-missing") as caught:
        fetch_now(operator_of(tmp_path))
    assert release_feed.SETTINGS in caught.value.hint


def test_monitor_offers_no_held_release_from_the_feed(root: Path) -> None:
    monitor = GatewayMonitor(operator_of(root), list[str]().append)
    monitor.upgrades.refresh_feed()
    monitor.upgrades.show_offer()
    offer = Files(root).read(mailbox.OFFER)
    assert offer is not None
    assert b"2026-01-01" in offer
    assert b"2026-01-02" not in offer


def monitored(root: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The server with its monitor."""
    host = Watched(root, clock)
    opened_by_monitor(host, monkeypatch)
    return host


def test_monitor_skips_the_feed_while_a_command_refreshes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = monitored(root, FakeClock(elapsed=1000.0), monkeypatch)
    with exclusive(host.files, host.clock, paths.FEED_LOCK):
        host.monitor.round()
    assert host.files.read(release_feed.FEED_RECORD) is None
    host.monitor.round()
    assert host.files.read(release_feed.FEED_RECORD) is not None, (
        "the next round does it, not the one in an hour"
    )


def test_other_commands_do_not_wait_for_the_monitor_to_fetch(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a firewall drops the packets to the feed, it fetches for a minute, and they wait ten seconds."""
    operator, ran = operator_of(root), list[str]()

    def fetch(_operator: Operator, _feed: release_feed.Feed) -> None:
        with exclusive(operator.files, operator.clock, paths.LOCK):
            ran.append("import_cert")

    monkeypatch.setattr(fetch_releases, "fetch", fetch)
    GatewayMonitor(operator, list[str]().append).upgrades.refresh_feed()
    assert ran == ["import_cert"]


@pytest.mark.parametrize("lock", [paths.FEED_LOCK, paths.LOCK])
def test_refresh_waits_for_monitor_and_other_commands(root: Path, publisher: Publisher, lock: str) -> None:
    clock = FakeClock()
    with ExitStack() as held:
        held.enter_context(exclusive(Files(root), clock, lock))
        clock.during = [held.close]
        result = fetch_now(operator_of(root, clock=clock), publisher.directory.with_suffix(".tar"))
    assert result.status == "ok"
    assert clock.during == []


def test_refused_feed_is_retried_after_an_hour(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, asked = monitored(root, FakeClock(), monkeypatch), list[float]()

    def refuse(_operator: Operator, _feed: release_feed.Feed) -> None:
        asked.append(host.clock.elapsed)
        raise StepError("feed-refused", "it is not signed by the keys that the trusted root names")

    monkeypatch.setattr(fetch_releases, "fetch", refuse)
    host.rounds(0, 8, 3599, 3600, 3608)
    assert asked == [0, 3600]
    assert host.codes.count("feed-refused") == 1


def test_a_feed_that_is_set_up_is_fetched_in_the_next_round(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = monitored(root, FakeClock(), monkeypatch)
    settings = host.files.read(release_feed.SETTINGS) or b""
    host.files.write(release_feed.SETTINGS, b'url = ""\n')
    host.rounds(0)
    host.files.write(release_feed.SETTINGS, settings)
    host.rounds(8)
    assert host.files.read(release_feed.FEED_RECORD) is not None


def test_the_roots_of_the_fetch_never_lie_where_the_agent_writes(root: Path) -> None:
    files = Files(root)
    files.make_directories(paths.CA_TRUST)
    files.write(f"{paths.CA_TRUST}/added.crt", trustme.CA().cert_pem.bytes())
    fetch_now(operator_of(root))
    assert files.state(paths.AGENT_STATE) is None


@pytest.mark.parametrize("archive", [None, Path("/srv/mstunnel/feed.tar")])
def test_root_does_not_refresh_a_rootless_gateways_feed(
    root: Path, monkeypatch: pytest.MonkeyPatch, archive: Path | None
) -> None:
    """Its check and its upgrade read the record of the account."""
    operator = root_beside_account(root, monkeypatch)
    with pytest.raises(HandedOverError, match=ACCOUNT):
        fetch_now(operator, archive)
    assert operator.files.state(release_feed.FEED_RECORD) is None
