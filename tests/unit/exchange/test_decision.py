"""The turn of a server: a file for each case, properties of every site, and the host's view of it."""

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstunnel_setup.exchange.release_catalogue import Digests, Release
from mstunnel_setup.exchange.upgrade_decision import UpgradeDecision, UpgradePolicy, decide, standing
from mstunnel_setup.exchange.upgrade_standing import STANDING, read_standing, write_standing
from mstunnel_setup.exchange.window import Window
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthStatus, TunnelServer
from tests.cases import every

CASES = sorted(Path(__file__).with_name("decisions").glob("*.json"))
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


def digests(name: str) -> Digests:
    return Digests(f"sha256:{name:0>64}", f"sha256:{name:1>64}")


def release(published: str) -> Release:
    found = digests("ef")
    return Release.model_validate(
        {"label": "new", "published": published, "server": found.server, "agent": found.agent}
    )


def runs(name: str | None) -> Digests | None:
    return None if name is None else digests("ef" if name == "new" else "ab" if name == "old" else "cd")


def server(name: str, status: str, found: Digests | None, seen: str | datetime | None = NOW) -> TunnelServer:
    """Return a server as the tenant shows it, without unknown images."""
    return TunnelServer(
        id=name,
        display_name=f"server {name}",
        tunnel_server_health_status=HealthStatus(status),
        server_image_digest=found.server if found else None,
        agent_image_digest=found.agent if found else None,
        last_checkin_date_time=datetime.fromisoformat(seen) if isinstance(seen, str) else seen,
    )


def site(data: dict[str, Any]) -> UpgradePolicy:
    window = data.get("window")
    hours = window and Window(
        time.fromisoformat(window["start"]),
        time.fromisoformat(window["end"]),
        timezone(timedelta(minutes=window["offset"])),
    )
    return UpgradePolicy(data["automatic"], hours)


def servers(listed: list[dict[str, Any]]) -> list[TunnelServer]:
    return [server(each["id"], each["status"], runs(each["runs"]), each["seen"]) for each in listed]


def test_reason_of_a_wait_has_its_time_and_the_server_at_fault() -> None:
    arguments: Any = (UpgradePolicy(automatic=True), "b", digests("ab"), [], release("2026-11-01"))
    until = datetime(2026, 12, 5, 10, tzinfo=UTC)
    soaking = decide(*arguments, failed=(), soaking_until=until, now=NOW)
    assert "soaks until 2026-12-05 10:00 UTC" in soaking.reason
    elsewhere = {"Oslo": [server("x", "upgradeFailed", digests("ab"))]}
    assert "server x at the site Oslo" in decide(*arguments, failed=(), elsewhere=elsewhere, now=NOW).reason


@every("path", CASES)
def test_decision_of_each_case(path: Path) -> None:
    case = json.loads(path.read_text())
    verdict = decide(
        site(case["site"]),
        case["own"]["id"],
        runs(case["own"]["runs"]),
        servers(case["others"]),
        release(case["published"]) if case["published"] else None,
        held=case.get("held", False),
        failed={found for name in case["failed"] if (found := runs(name))},
        soaking_until=datetime.fromisoformat(case["soaking_until"]) if "soaking_until" in case else None,
        elsewhere={name: servers(found) for name, found in case.get("elsewhere", {}).items()},
        now=datetime.fromisoformat(case["now"]),
    )
    assert verdict.code == case["expected"]
    assert verdict.begin == (case["expected"] == "begin")
    assert verdict.reason


@dataclass
class Blind:
    """A site whose digests Graph does not show; `begun` has the time at which each server began."""

    names: list[str]
    window: Window | None
    begun: dict[str, datetime] = field(default_factory=dict)

    def live(self, now: datetime) -> None:
        """Let every server decide; one that has begun runs the release, which no other server sees."""
        target = release("2026-11-01")
        for name in [name for name in self.names if name not in self.begun]:
            others = [server(other, "unknown", None, now) for other in self.names if other != name]
            policy = UpgradePolicy(automatic=True, window=self.window)
            if decide(policy, name, digests("ab"), others, target, failed=(), now=now).begin:
                self.begun[name] = now


hours = st.builds(
    lambda start, minutes, zone: Window(
        start, (datetime.combine(NOW, start) + timedelta(minutes=minutes)).time(), zone
    ),
    st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    st.integers(60, 1439),
    st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")]),
)


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 7), st.none() | hours, st.integers(0, 365))
def test_servers_with_unknown_digests_take_turns_one_at_a_time(
    count: int, window: Window | None, day: int
) -> None:
    blind = Blind([f"gw{number}" for number in range(count)], window)
    start = NOW + timedelta(days=day)
    for step in range(0, (count + 2) * 1440, 10):
        blind.live(start + timedelta(minutes=step))
        if len(blind.begun) == count:
            break
    assert set(blind.begun) == set(blind.names), "each window has two slots at least"
    moments = sorted(blind.begun.values())
    spaces = [after - before for before, after in itertools.pairwise(moments)]
    assert all(space > timedelta(minutes=15) for space in spaces)
    assert window is None or all(window.contains(moment) for moment in moments)


statuses = st.sampled_from(
    ["healthy", "warning", "unhealthy", "upgradeInProgress", "upgradeFailed", "unknown"]
)
running = st.sampled_from([digests("ab"), digests("ef")])
sites = st.dictionaries(st.uuids().map(str), st.tuples(statuses, running), max_size=6)


def begins(own: str, servers: dict[str, tuple[str, Digests]]) -> bool:
    """Return whether this server of a site, whose servers all see the same, begins its upgrade."""
    others = [server(name, *found) for name, found in servers.items() if name != own]
    policy, target = UpgradePolicy(automatic=True), release("2026-11-01")
    return decide(policy, own, servers[own][1], others, target, failed=(), now=NOW).begin


@given(sites)
def test_at_most_one_server_with_the_same_view_begins(servers: dict[str, tuple[str, Digests]]) -> None:
    assert [begins(own, servers) for own in servers].count(True) <= 1


@given(sites)
def test_all_servers_of_a_healthy_site_are_upgraded(servers: dict[str, tuple[str, Digests]]) -> None:
    servers = {name: ("healthy", found) for name, (_, found) in servers.items()}
    for _ in servers:
        for own in servers:
            if begins(own, servers):
                servers[own] = ("healthy", digests("ef"))
    assert {found for _, found in servers.values()} <= {digests("ef")}


WAITS = standing(UpgradeDecision("turn", "gw1 comes first"), NOW, None)


def test_host_reads_the_decision_of_the_agent(files: Files) -> None:
    write_standing(files, WAITS)
    assert read_standing(files) == WAITS


@pytest.mark.parametrize(
    "written",
    [
        WAITS.model_dump_json().replace("{", '{"more": 1, ', 1),
        WAITS.model_dump_json(exclude={"window", "fixed"}),
    ],
    ids=["newer", "older"],
)
def test_decision_of_another_release_of_the_agent_is_read(files: Files, written: str) -> None:
    files.write(STANDING, written.encode())
    assert read_standing(files) == WAITS


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 2}', WAITS.model_dump_json().replace("turn", "\\u001b[2J").encode()]
)
def test_unreadable_decision_is_ignored(files: Files, content: bytes) -> None:
    assert read_standing(files) is None
    files.write(STANDING, content)
    assert read_standing(files) is None


def test_link_in_place_of_the_decision_is_not_followed(files: Files) -> None:
    files.write("/secret", WAITS.model_dump_json().encode())
    files.locate(STANDING).symlink_to(files.locate("/secret"))
    assert read_standing(files) is None


@pytest.mark.parametrize(
    ("code", "waits"), [("turn", True), ("window-closed", True), ("begin", False), ("up-to-date", False)]
)
def test_only_a_release_that_is_not_installed_waits(code: str, *, waits: bool) -> None:
    assert standing(UpgradeDecision(code, "so"), NOW, None).waits == waits
