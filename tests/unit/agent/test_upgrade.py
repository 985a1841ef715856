"""The agent asks for the offered release when it is this server's turn, and only then."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.agent import upgrade
from mstunnel_setup.base import paths
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, Reply, ReplyState
from mstunnel_setup.exchange.release_catalogue import Digests, Release, running_images
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthStatus, TunnelServer, TunnelSite

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
OLD = Digests(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")
NEW = Digests(f"sha256:{'c' * 64}", f"sha256:{'d' * 64}")
OFFER = Release(label="2.0", published=date(2026, 11, 1), server=NEW.server, agent=NEW.agent)


class Site:
    """The other servers of the site, with a count of the requests; the site Oslo has those of `oslo`."""

    def __init__(self, *others: TunnelServer, oslo: Sequence[TunnelServer] = ()) -> None:
        self.others = {"site": [TunnelServer(id="b"), *others], "oslo": list(oslo)}
        self.asked = 0

    def sites(self) -> Sequence[TunnelSite]:
        return [TunnelSite(id="site", display_name="Bergen"), TunnelSite(id="oslo", display_name="Oslo")]

    def servers(self, site_id: str) -> Sequence[TunnelServer]:
        self.asked += 1
        return self.others[site_id]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    for directory in (paths.INBOX, paths.OUTBOX):
        found.make_directories(directory)
    found.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(OLD).payload)
    found.write(mailbox.OFFER, OFFER.model_dump_json().encode())
    return found


def ask(files: Files, *others: TunnelServer, **settings: Any) -> str:
    """Return the code of the decision."""
    wire = TunnelSite.model_validate({"id": "site", "upgrade_automatically": True, **settings})
    said: list[str] = []
    tenant: Any = Site(*others)
    verdict = upgrade.ask(tenant, wire, "b", files, now=NOW, tell=said.append)
    assert bool(said) == verdict.begin
    return verdict.code


def answer(files: Files, state: ReplyState, digests: Digests = NEW) -> None:
    mailbox.write_reply(files, Reply.about(digests, state, "", NOW))


def test_request_has_the_format_of_the_monitor(files: Files) -> None:
    assert ask(files) == "begin"
    assert AgentRequest(UPGRADE, files.read(UPGRADE.request) or b"").images() == NEW


def test_request_is_withdrawn_when_the_window_closes(files: Files) -> None:
    """Check a monitor that returns hours later: it must not end sessions outside the window."""
    hours: dict[str, Any] = {"upgrade_window_start_time": time(11), "upgrade_window_end_time": time(13)}
    assert ask(files, **hours) == "begin"
    assert ask(files, **hours) == "requested"
    assert ask(files, **hours, upgrade_window_utc_offset_in_minutes=600) == "window-closed"
    assert files.state(UPGRADE.request) is None
    assert ask(files, **hours) == "begin"


@pytest.mark.parametrize(
    ("state", "code"), [("applying", "upgrading"), ("failed", "failed-before"), ("refused", "failed-before")]
)
def test_answered_request_is_withdrawn_and_not_repeated(files: Files, state: ReplyState, code: str) -> None:
    assert ask(files) == "begin"
    answer(files, state)
    for _ in range(2):
        assert ask(files) == code
        assert files.state(UPGRADE.request) is None


def test_skipped_release_is_not_requested(files: Files) -> None:
    files.write(mailbox.SUMMARY, mailbox.Summary(held=True).model_dump_json().encode())
    assert ask(files) == "held"


def test_agent_requests_no_release_that_the_host_refuses(files: Files) -> None:
    summary = mailbox.Summary(objection="release 2.0 is not approved")
    files.write(mailbox.SUMMARY, summary.model_dump_json().encode())
    assert ask(files) == "refused-by-host"
    assert files.read(UPGRADE.request) is None
    assert files.state(UPGRADE.request) is None
    files.remove(mailbox.SUMMARY)
    assert ask(files) == "begin"


def test_agent_requests_no_release_that_soaks(files: Files) -> None:
    summary = mailbox.Summary(soaking_until=NOW + timedelta(seconds=1), objection="it soaks")
    files.write(mailbox.SUMMARY, summary.model_dump_json().encode())
    assert ask(files) == "soaking"
    assert files.state(UPGRADE.request) is None
    files.write(mailbox.SUMMARY, mailbox.Summary(soaking_until=NOW).model_dump_json().encode())
    assert ask(files) == "begin"


FAILED = TunnelServer(
    id="x",
    display_name="gw-oslo",
    tunnel_server_health_status=HealthStatus.UPGRADE_FAILED,
    last_checkin_date_time=NOW,
)


@pytest.mark.parametrize(("ring", "code", "asked"), [(1, "begin", 1), (2, "other-failed", 2)])
def test_later_ring_stops_for_a_failure_at_any_site(files: Files, ring: int, code: str, asked: int) -> None:
    files.write(mailbox.SUMMARY, mailbox.Summary(ring=ring).model_dump_json().encode())
    tenant: Any = Site(oslo=[FAILED])
    wire = TunnelSite(id="site", upgrade_automatically=True)
    verdict = upgrade.ask(tenant, wire, "b", files, now=NOW, tell=lambda _line: None)
    assert (verdict.code, tenant.asked) == (code, asked)
    assert ring == 1 or "gw-oslo at the site Oslo failed" in verdict.reason


def test_nothing_is_requested_without_an_offer_or_a_mailbox(files: Files, tmp_path: Path) -> None:
    files.remove(mailbox.OFFER)
    assert ask(files) == "no-release"
    assert ask(Files(tmp_path / "bare")) == "no-release"


def test_current_server_does_not_read_the_others(files: Files) -> None:
    files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(NEW).payload)
    site: Any = Site()
    wire = TunnelSite(id="site", upgrade_automatically=True)
    verdict = upgrade.ask(site, wire, "b", files, now=NOW, tell=lambda _line: None)
    assert verdict.code == "up-to-date"
    assert site.asked == 0


def test_settings_of_the_site_are_respected(files: Files) -> None:
    hours: dict[str, Any] = {"upgrade_window_start_time": time(22), "upgrade_window_end_time": time(4)}
    assert ask(files, upgrade_automatically=False) == "approval-missing"
    assert ask(files, **hours) == "window-closed"
    assert ask(files, **hours, upgrade_window_utc_offset_in_minutes=600) == "begin"


def summary(files: Files, time_zone: str) -> None:
    files.write(mailbox.SUMMARY, mailbox.Summary(time_zone=time_zone).model_dump_json().encode())


def test_time_zone_of_the_host_overrides_the_tenants_offset(files: Files) -> None:
    """Check November: 12:00 UTC is 22:00 in Sydney's winter and 23:00 in its summer, which it is then."""
    winter: dict[str, Any] = {
        "upgrade_window_start_time": time(22),
        "upgrade_window_end_time": time(23),
        "upgrade_window_utc_offset_in_minutes": 600,
    }
    summary(files, "Australia/Sydney")
    assert ask(files, **winter) == "window-closed"
    files.remove(mailbox.SUMMARY)
    assert ask(files, **winter) == "begin"


@pytest.mark.parametrize("name", ["Nowhere/Land", "../../etc/passwd", ""])
def test_unknown_time_zone_is_ignored(files: Files, name: str) -> None:
    summary(files, name)
    hours = {"upgrade_window_start_time": "21:30:59.5Z", "upgrade_window_end_time": "22:30:00.0000000"}
    site = TunnelSite.model_validate({"id": "s", **hours, "upgrade_window_utc_offset_in_minutes": 60})
    window = upgrade.window(site, files)
    assert str(window) == "21:30-22:30 UTC+01:00"


@pytest.mark.parametrize(
    ("status", "expected"), [("healthy", "turn"), ("upgradeInProgress", "other-upgrading")]
)
def test_other_servers_can_have_precedence(files: Files, status: str, expected: str) -> None:
    other = TunnelServer(
        id="a",
        display_name="first",
        tunnel_server_health_status=HealthStatus(status),
        last_checkin_date_time=NOW,
        server_image_digest=OLD.server,
        agent_image_digest=OLD.agent,
    )
    assert ask(files, other) == expected


@pytest.mark.parametrize("content", ["[" * 4_000, "[]", json.dumps({"serverImageDigest": "x"})])
def test_unreadable_files_count_as_no_upgrade(files: Files, content: str) -> None:
    files.write(UPGRADE.reply, b"{")
    files.write(paths.IMAGES_CONFIGURED, content.encode())
    assert mailbox.last_reply(files, UPGRADE) is None
    assert running_images(files) is None
