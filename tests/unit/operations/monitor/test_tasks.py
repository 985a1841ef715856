"""The tasks of the monitor: each independently, each complaint once."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, LockedError, StepError
from mstunnel_setup.containers.engine import Health
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES, mailbox
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.exchange.mailbox import CONFIGURATION, UPGRADE, AgentRequest, last_reply
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Release
from mstunnel_setup.exchange.upgrade_history import UpgradeOutcome, UpgradePhase, write_history
from mstunnel_setup.exchange.upgrade_rules import RULES
from mstunnel_setup.install import session
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor import container_restarts, host_changes, port, upgrades
from mstunnel_setup.operations.monitor.limits import RateLimiter
from mstunnel_setup.operations.monitor.loop import GatewayMonitor
from mstunnel_setup.operations.monitor.upgrades import take
from mstunnel_setup.operations.upgrade import run
from tests.unit.clocks import FakeClock
from tests.unit.exchange.test_record import history, images, upgrade
from tests.unit.fakes import FakeSystemd, Forgetful, ports_of
from tests.unit.install.scenes import container
from tests.unit.operations.monitor.conftest import SERVER_UNIT, Asking, Watched
from tests.unit.present import present

BAD = "[[release]\n"
MINUTE = 60.0


def spoil(root: Path, text: str) -> None:
    path = root / CATALOGUE.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("lists", "codes"),
    [
        ([BAD] * 10, 1),
        ([*[BAD] * 10, "releases = 1\n"], 2),
        ([BAD, "", BAD], 2),
    ],
    ids=["a persistent problem once", "another one too", "a recurring one again"],
)
def test_a_problem_is_reported_when_it_is_new(watched: Watched, lists: list[str], codes: int) -> None:
    for text in lists:
        spoil(watched.root, text)
        watched.monitor.round()
    assert watched.codes == ["releases-invalid"] * codes


def test_one_part_that_fails_does_not_stop_the_others(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_name: str) -> None:
        raise EngineError("engine-unreachable", "the engine does not answer", "")

    monkeypatch.setattr(watched.engine, "inspect", away)
    spoil(watched.root, BAD)
    watched.monitor.round()
    assert watched.codes == ["releases-invalid", "engine-unreachable"]


@pytest.fixture
def moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that the gateway moved to; 8443 is wanted."""
    found: list[int] = []
    Files(tmp_path).make_directories(paths.STATE)
    monkeypatch.setattr(host_changes, "wanted_port", lambda _files: 8443)
    monkeypatch.setattr(session, "open_run", lambda *_arguments: nullcontext())
    monkeypatch.setattr(port, "move", lambda _run, port: found.append(port))
    return found


def test_failed_port_change_is_retried_after_ten_minutes(
    watched: Watched, moves: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_run: object, port: int) -> None:
        moves.append(port)
        raise EngineError("container-failed", "it does not start", "")

    monkeypatch.setattr(port, "move", fail)
    watched.rounds(1000, 1015, 1599, 1600)
    assert moves == [8443, 8443]
    assert watched.said.count("container-failed: it does not start") == 2


def test_port_changes_are_at_least_ten_minutes_apart(
    watched: Watched, moves: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that wants another port at every look, of a monitor that starts again at every look."""
    monkeypatch.setattr(host_changes, "wanted_port", lambda _files: 8000 + int(watched.clock.elapsed))
    for watched.clock.elapsed in range(0, 3600, 8):
        GatewayMonitor(watched.monitor.operator, lambda _text: None).round()
    assert len(moves) == 6


@pytest.mark.parametrize("cut_off", [False, True])
def test_stopped_gateway_changes_port_once_it_runs_again(
    watched: Watched, moves: list[int], cut_off: bool
) -> None:
    """A move that was begun before is brought to its end."""
    watched.systemd.stop(SERVER_UNIT)
    if cut_off:
        RateLimiter(watched.files).record("port", watched.clock.now(), moving=8443)
    watched.monitor.round()
    assert moves == ([8443] if cut_off else [])
    watched.systemd.start(SERVER_UNIT)
    watched.monitor.round()
    assert moves == [8443]


def test_unexpected_error_is_reported_once_and_stops_nothing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprised(_files: Files) -> None:
        raise TypeError("can't compare offset-naive and offset-aware datetimes")

    monkeypatch.setattr(upgrades, "read_history", surprised)
    for _ in range(3):
        watched.monitor.round()
    assert watched.engine.looks == 3
    assert watched.codes == ["internal-error"]
    assert "TypeError" in watched.said[0]


def directory(place: Path) -> None:
    (place / "below").mkdir(parents=True)


def pipe(place: Path) -> None:
    os.mkfifo(place)


def link(place: Path) -> None:
    place.symlink_to("/etc/shadow")


def deep(place: Path) -> None:
    place.write_bytes(b"[" * 200_000)


def long(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(1 << 40)


@pytest.mark.parametrize("put", [directory, pipe, link, deep, long])
@pytest.mark.parametrize("path", [UPGRADE.request, CONFIGURATION.request, REPORT])
def test_hostile_container_files_do_not_end_a_round(asking: Asking, put: Any, path: str) -> None:
    asking.files.make_directories(paths.SERVER_STATE)
    asking.files.write(paths.OCSERV_CONF, b"tcp-port = 443\n")
    asking.files.write(paths.ADMIN_SETTINGS, b'{"ListenPort": 1e999}')
    put(asking.files.locate(path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(30):
        asking.clock.elapsed += 8
        asking.monitor.round()
    assert asking.engine.looks == 30
    # What earlier tests left open may be closed meanwhile.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert "internal-error" not in asking.codes
    assert len(asking.said) <= 3


def test_upgrades_requested_by_the_agent_are_rate_limited(asking: Asking) -> None:
    for _ in range(10):
        asking.ask("c")
    assert len(asking.upgraded) == 2
    assert asking.codes[-1] == "upgrade-limited"
    assert last_reply(asking.files, UPGRADE) is None, "it may ask again"


def test_the_agent_gets_the_newest_release(asking: Asking) -> None:
    assert asking.ask("c") is None
    assert asking.upgraded == [images("c").digests]


def test_agent_gets_no_earlier_release_from_the_catalogue(asking: Asking) -> None:
    asking.ask("a")
    assert asking.codes[-1] == "upgrade-refused"
    assert "it is not the newest release that is offered to this site" in asking.said[-1]
    assert asking.upgraded == []


@pytest.mark.parametrize(
    ("rules", "allowed", "reason"),
    [
        ("", True, ""),
        ('window = "{open}"', True, ""),
        ('window = "{shut}"', False, "the window of /etc/mstunnel-setup/upgrades.toml on this host opens at"),
        ('approved = ["c"]', True, ""),
        ('approved = ["b"]', False, "release c is not in `approved` of /etc/mstunnel-setup/upgrades.toml"),
        ("approved = []", False, "release c is not in `approved` of /etc/mstunnel-setup/upgrades.toml"),
        ('approved = ["c"]\nwindow = "{shut}"', False, "on this host opens at"),
        ('window = "sometimes"', False, "'sometimes' is not a window such as 22:00-04:00"),
        ('window = "22:00-22:00"', False, "'22:00-22:00' is not a window such as 22:00-04:00"),
        ('approved = "c"', False, "approved"),
        ('approve = ["c"]', False, "approve"),
    ],
)
def test_the_host_checks_window_and_approval(
    asking: Asking, rules: str, reason: str, *, allowed: bool
) -> None:
    now = asking.clock.now()
    times = {
        "open": f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}",
        "shut": f"{now + timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}",
    }
    asking.files.write(RULES, rules.format(**times).encode())
    assert asking.ask("c") is None, "it may ask again"
    assert asking.upgraded == ([images("c").digests] if allowed else [])
    assert any(reason in line for line in asking.said)


def test_the_host_refuses_a_release_that_soaks(asking: Asking) -> None:
    listed = asking.files.read(CATALOGUE) or b""
    # The clock of these tests begins in January, and release c is of 2026-03-01.
    asking.files.write(CATALOGUE, b"soak_days = 3\n" + listed)
    asking.files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(images("b").digests).payload)
    assert asking.ask("c") is None, "it may ask again"
    assert "release c soaks until 2026-03-04 00:00 UTC" in asking.said[-1]
    assert asking.upgraded == []
    summary = mailbox.read_summary(asking.files)
    assert summary.soaking_until == datetime(2026, 3, 4, tzinfo=UTC)
    asking.clock.elapsed += 80 * 86400
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]


def test_agent_takes_a_soaked_release_while_a_newer_one_soaks(asking: Asking) -> None:
    listed = asking.files.read(CATALOGUE) or b""
    asking.files.write(CATALOGUE, b"soak_days = 20\nring = 2\n" + listed)
    asking.files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(images("a").digests).payload)
    asking.clock.elapsed += 65 * 86400
    asking.monitor.round()
    summary = mailbox.read_summary(asking.files)
    assert (summary.soaking_until, summary.ring) == (None, 2)
    offer = present(messages.read_trusted(asking.files, mailbox.OFFER, Release))
    assert offer.name == "b"


def test_window_of_the_host_is_in_its_time_zone(asking: Asking) -> None:
    now = asking.clock.now().astimezone(ZoneInfo("Asia/Tokyo"))
    window = f"{now:%H:%M}-{now + timedelta(hours=1):%H:%M}"
    asking.files.write(RULES, f'window = "{window}"\ntime_zone = "Asia/Tokyo"\n'.encode())
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]


def test_the_agent_learns_why_the_host_would_refuse(asking: Asking) -> None:
    asking.files.write(RULES, b"approved = []\n")
    asking.monitor.round()
    assert mailbox.read_summary(asking.files).objection.startswith("release c is not in `approved`")
    asking.files.remove(RULES)
    asking.monitor.round()
    assert mailbox.read_summary(asking.files).objection == ""


def test_agent_gets_no_other_images_and_no_failed_release(asking: Asking) -> None:
    asking.ask("d")
    assert "no release that is offered to this server has these images" in asking.said[-1]
    write_history(asking.files, history(upgrade("b", "c", UpgradeOutcome.WENT_BACK)))
    assert asking.ask("c") == "it failed on this host before"
    assert asking.upgraded == []


@pytest.mark.parametrize(("runs", "behind"), [("a", 2), ("b", 1), ("c", 0), ("d", None)])
def test_the_agent_finds_how_many_releases_are_newer(asking: Asking, runs: str, behind: int | None) -> None:
    asking.files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(images(runs).digests).payload)
    asking.monitor.round()
    assert mailbox.read_summary(asking.files).behind == behind


def test_without_a_list_nothing_appears_that_no_run_has_made(asking: Asking) -> None:
    asking.files.remove(CATALOGUE)
    before = asking.files.names(paths.OUTBOX)
    asking.monitor.round()
    assert asking.files.names(paths.OUTBOX) == before


def test_a_pipe_in_place_of_a_file_of_the_agent_blocks_nothing(asking: Asking) -> None:
    os.mkfifo(asking.files.locate(paths.IMAGES_CONFIGURED))
    asking.monitor.round()
    wrong = f"file-irregular: {paths.IMAGES_CONFIGURED} is a named pipe, not a regular file. "
    assert [line.startswith(wrong) for line in asking.said] == [True]
    assert asking.files.read(mailbox.OFFER) is not None


def test_the_agent_finds_the_time_zone_of_the_list(asking: Asking) -> None:
    listed = asking.files.read(CATALOGUE) or b""
    asking.files.write(CATALOGUE, b'time_zone = "Europe/Berlin"\n' + listed)
    asking.monitor.round()
    assert mailbox.read_summary(asking.files).time_zone == "Europe/Berlin"
    asking.files.write(CATALOGUE, listed)
    asking.monitor.round()
    assert mailbox.read_summary(asking.files).time_zone is None


def test_release_that_returns_to_the_list_is_installed(asking: Asking) -> None:
    """The agent never asks again for what is refused with a reply."""
    listed = asking.files.read(CATALOGUE) or b""
    asking.files.write(CATALOGUE, listed.rpartition(b"[[release]]")[0])
    asking.ask("c")
    assert last_reply(asking.files, UPGRADE) is None
    asking.files.write(CATALOGUE, listed)
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]


@pytest.mark.parametrize("chosen", [{"rejects_source": True}, {"passes_over": images("c").digests}])
def test_release_an_administrator_rejected_is_not_offered(asking: Asking, chosen: dict[str, Any]) -> None:
    write_history(asking.files, history(upgrade("c", "b", UpgradeOutcome.DONE, **chosen)))
    assert asking.ask("c") == "an administrator chose another release"
    assert asking.upgraded == []
    assert mailbox.read_summary(asking.files).held
    write_history(asking.files, history(upgrade("a", "b", UpgradeOutcome.DONE)))
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]
    assert not mailbox.read_summary(asking.files).held


def test_an_agent_that_asks_all_the_time_is_heard_once_a_minute(asking: Asking) -> None:
    for _ in range(60):
        asking.clock.elapsed -= 52
        asking.ask("a")
    assert len(asking.said) == 8
    assert asking.files.state(UPGRADE.request) is not None


@pytest.mark.parametrize("put", [directory, pipe, link, deep, long])
def test_what_is_no_request_is_removed_without_the_lock(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, put: Any
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(session, "open_run", lambda *_arguments: opened.append("opened"))
    put(asking.files.locate(UPGRADE.request))
    asking.monitor.round()
    assert (asking.files.state(UPGRADE.request), opened, len(asking.said)) == (None, [], 1)


@pytest.mark.parametrize(
    ("health", "systemd", "silent", "expected"),
    [
        ("starting", True, False, "unhealthy"),
        # Podman checks it by timers of systemd: without them it says `starting` for ever.
        ("starting", False, False, "unhealthy"),
        ("healthy", False, False, "unhealthy"),
        ("healthy", True, True, "unhealthy"),
        ("healthy", True, False, "healthy"),
    ],
)
def test_the_health_is_checked_where_it_is_not_known(
    tmp_path: Path, health: Health, systemd: bool, silent: bool, expected: str
) -> None:
    engine = Forgetful({"mstunnel-server": container(health=health)})
    ports = ports_of(tmp_path, engine=engine, systemd=FakeSystemd(runs=systemd))
    assert container_restarts.condition(ports, "mstunnel-server", check=silent) == expected


def test_the_gateway_learns_new_addresses_of_the_host(watched: Watched) -> None:
    table = watched.root / "proc/net/fib_trie"
    table.parent.mkdir(parents=True)
    table.write_text("Local:\n     |-- 192.0.2.2\n        /32 host LOCAL\n")
    watched.monitor.round()
    assert watched.files.read(paths.HOST_ADDRESSES) is None, "no gateway is installed here"

    watched.files.make_directories(paths.CONFIGURATION)
    watched.files.write(paths.HOST_ADDRESSES, b"192.0.2.1\n")
    watched.rounds(1060, 1120)
    written = (watched.files.read(paths.HOST_ADDRESSES) or b"").split()
    assert (b"192.0.2.2" in written, b"192.0.2.1" in written) == (True, False)
    assert watched.codes == ["addresses"]


def test_failing_minute_task_is_reported_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that does not try it says nothing about it."""

    def fail(_files: Files, _clock: FakeClock) -> str:
        raise StepError("addresses-unreadable", "the table cannot be read")

    watched.files.make_directories(paths.CONFIGURATION)
    watched.files.write(paths.HOST_ADDRESSES, b"192.0.2.1\n")
    monkeypatch.setattr(host_changes, "own_addresses", fail)
    watched.rounds(*range(1000, 1480, 8))
    assert watched.codes == ["addresses-unreadable"]


@pytest.mark.parametrize(
    ("age", "taken"), [(0.0, True), (14 * MINUTE, True), (16 * MINUTE, False), (-16 * MINUTE, False)]
)
def test_a_request_is_carried_out_within_minutes_or_not_at_all(
    asking: Asking, age: float, taken: bool
) -> None:
    """Hours later the maintenance window is closed; a time to come is from before the clock was set back."""
    asking.write("c", age)
    asking.monitor.round()
    assert asking.upgraded == ([images("c").digests] if taken else [])
    assert asking.files.state(UPGRADE.request) is None
    assert asking.codes[-1] == ("upgrade-done" if taken else "upgrade-request-old")


@pytest.mark.parametrize("at", [-(2**62), 0, 2**33])
def test_whatever_time_an_agent_gives_its_request_ends_no_round(asking: Asking, at: int) -> None:
    asking.write("c")
    os.utime(asking.files.locate(UPGRADE.request), (0, at))
    asking.monitor.round()
    assert asking.codes == ["upgrade-request-old"]


def locked(*_arguments: object) -> None:
    raise LockedError("locked", "another run is at work", "")


def ask_during_another_run(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor takes the request, and finds the host locked."""
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(session, "open_run", locked)
        asking.ask("c")


@pytest.mark.parametrize("minutes", [0, 20])
def test_request_waits_for_another_run_until_it_expires(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    ask_during_another_run(asking, monkeypatch)
    assert (asking.said, asking.engine.looks, asking.upgraded) == ([], 0, []), "nothing is changed meanwhile"
    asking.clock.elapsed += minutes * MINUTE
    asking.monitor.round()
    asking.monitor.round()
    assert asking.upgraded == ([] if minutes else [images("c").digests])


@pytest.mark.parametrize("minutes", [5, 20])
def test_stopped_gateway_is_upgraded_once_it_runs_again(asking: Asking, minutes: int) -> None:
    """Not for a request of long ago; the agent makes another one when it is time."""
    asking.systemd.stop(SERVER_UNIT)
    asking.ask("c")
    assert asking.files.state(UPGRADE.request) is not None, "the agent may withdraw it"
    asking.clock.elapsed += minutes * MINUTE
    asking.monitor.round()
    assert asking.upgraded == []
    asking.systemd.start(SERVER_UNIT)
    asking.monitor.round()
    assert asking.upgraded == ([images("c").digests] if minutes < 15 else [])


def test_gateway_stopped_after_the_request_stays_stopped(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent asks again; until then a request that is held would hold up other work of the monitor."""
    ask_during_another_run(asking, monkeypatch)
    asking.systemd.stop(SERVER_UNIT)
    asking.monitor.round()
    asking.systemd.start(SERVER_UNIT)
    asking.monitor.round()
    assert asking.upgraded == []
    asking.ask("c")
    assert asking.upgraded == [images("c").digests]


def test_begun_upgrade_is_finished_on_a_stopped_gateway(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an upgrade the gateway may be stopped, too."""
    finished: list[object] = []
    asking.systemd.stop(SERVER_UNIT)
    monkeypatch.setattr(run, "finish", finished.append)
    write_history(asking.files, history(upgrade("b", "c", None, phase=UpgradePhase.SWITCH)))
    asking.monitor.round()
    assert len(finished) == 1


def test_an_upgrade_may_take_longer_than_the_longest_drain(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the service manager must not end the monitor: the drain would start again."""
    allowed: list[float] = []
    during: list[float] = []
    monkeypatch.setattr(asking.monitor.service, "alive", allowed.append)
    monkeypatch.setattr(run, "finish", lambda _run: during.append(allowed[-1]))
    asking.ask("c")
    assert during[0] >= 60 * MOST_DRAIN_MINUTES + 3600


def test_a_request_that_the_agent_withdrew_meanwhile_is_none(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.INBOX)
    assert take(files) is None
