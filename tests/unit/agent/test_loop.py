"""Rounds of the agent: check-in, files that follow the tenant, and waits while it is unreachable."""

import itertools
from collections.abc import Iterable

import pytest

from mstunnel_setup.agent.health_watch import HealthWatch
from mstunnel_setup.agent.loop import wait_seconds
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import REPORT_SHOWN
from mstunnel_setup.exchange.health_observation import SyncState
from mstunnel_setup.exchange.health_report import AgentStatus, HealthState
from mstunnel_setup.exchange.mailbox import CONFIGURATION, receive
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.tenant.wire import TunnelSite
from tests.unit.agent.fakes import AWAY, SERVER, SITE, FakeRenewal, FakeWatch, Scene
from tests.unit.clocks import START
from tests.unit.present import present


def test_a_check_in_writes_nothing_but_the_servers_own_name(scene: Scene) -> None:
    assert scene.agent().round() is None

    assert scene.tenant.check_ins == [{"displayName": "gw1"}]
    assert scene.statuses[-1].last_check_in == START


def test_files_follow_the_tenant(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    assert "ipv4-network = 10.20.0.0\n" in scene.conf()

    scene.configure(network="10.30.0.0/16")
    agent.round()

    assert "ipv4-network = 10.30.0.0\n" in scene.conf()
    assert b'"Network": "10.30.0.0/16"' in (scene.files.read(paths.ADMIN_SETTINGS) or b"")
    handed = ["configuration-handed-over", "configuration-applied"]
    assert scene.codes() == ["checked-in", *handed, *handed]


def test_current_files_are_not_rewritten(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    before = [scene.files.locate(path).stat() for path in (paths.OCSERV_CONF, paths.ADMIN_SETTINGS)]
    agent.round()

    after = [scene.files.locate(path).stat() for path in (paths.OCSERV_CONF, paths.ADMIN_SETTINGS)]
    assert [(stat.st_ino, stat.st_mtime_ns) for stat in after] == [
        (stat.st_ino, stat.st_mtime_ns) for stat in before
    ]
    assert scene.codes().count("configuration-handed-over") == 1


def test_invalid_configuration_leaves_the_old_files(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    good = scene.conf()
    scene.configure(routeIncludes=["255.255.0.0"])

    for _ in range(3):
        assert present(agent.round()).code == "configuration-invalid"

    assert scene.conf() == good
    assert scene.codes().count("configuration-invalid") == 1
    status = scene.statuses[-1]
    assert status.last_error is not None
    assert (status.last_error.code, status.last_check_in) == ("configuration-invalid", START)

    scene.configure()
    assert agent.round() is None
    assert scene.codes()[-1] == "recovered"
    assert scene.statuses[-1].last_error is None


def test_unreachable_tenant_is_retried_with_growing_waits(scene: Scene) -> None:
    scene.tenant.trouble = AWAY
    scene.live(22)

    assert scene.codes() == ["network-unreachable"]
    assert all(nap <= 66 for nap in scene.clock.naps), "this server is looked at every minute all the same"
    spaces = [after - before for before, after in itertools.pairwise(scene.attempts)]
    expected = [120, 240, 240, 240]
    assert all(abs(space - wait) <= wait / 10 for space, wait in zip(spaces, expected, strict=False))
    assert 5 <= scene.enrolments <= 7


def test_waiting_agent_tries_a_new_proxy_at_once(scene: Scene) -> None:
    scene.tenant.trouble = AWAY

    def repair() -> None:
        scene.files.write(paths.ENVIRONMENT, b"https_proxy=http://user:word@proxy.example:3128\n")
        scene.tenant.trouble = None

    scene.clock.during = [lambda: None, lambda: None, repair]
    scene.live(4)
    assert scene.codes()[:2] == ["network-unreachable", "checked-in"]
    assert scene.attempts[-1] == sum(scene.clock.naps[:3])
    assert scene.statuses[0].proxies is None
    assert scene.statuses[-1].proxies == {"https_proxy": "http://proxy.example:3128"}


def test_the_report_contains_the_error_of_the_last_round(scene: Scene) -> None:
    watch = FakeWatch(HealthState.UNKNOWN, scene.clock)
    scene.tenant.record, record = None, scene.tenant.record

    def back() -> None:
        scene.tenant.record = record

    scene.clock.during = [lambda: None, back, lambda: None]
    scene.live(4, watch)
    codes = [item.last_error and item.last_error.code for item in watch.seen]
    assert codes[0] == "server-unknown"
    assert codes[-1] is None


def test_changed_connections_are_in_the_metrics_in_a_second(scene: Scene) -> None:
    """Check the metrics: with the gateway's eight seconds, less than 15; an unchanged report is ignored."""
    looked: list[float] = []
    reports = {30.0: 0, 70.0: 0, 100.0: 500, 130.0: 500}

    class Watch(HealthWatch):
        def look(self, known: SyncState) -> None:
            looked.append(scene.clock.elapsed)
            super().look(known)

    class Reports(Changes):
        """The gateway's reports, each at its time."""

        def __init__(self) -> None:
            self.watched: set[str] = set()

        def watch(self, directories: Iterable[str]) -> None:
            self.watched.update(directories)

        def wait(self, seconds: float, processes: Iterable[int] = ()) -> bool:
            until = scene.clock.elapsed + seconds
            due = [moment for moment in reports if moment <= until]
            scene.clock.sleep(min((until, *due)) - scene.clock.elapsed)
            for moment in due[:1]:
                report(reports.pop(moment))
            return bool(due)

    def report(sessions: int) -> None:
        status = f'time {scene.clock.now():%s}\nstatus {{"Active sessions": {sessions}}}\n'
        scene.files.make_directories(paths.SERVER_STATE_INSIDE)
        scene.files.write(REPORT_SHOWN, status.encode())

    report(0)
    changes = Reports()
    watch = Watch(scene.files, scene.clock, scene.log.append, Counters(), lambda _address: None, changes)
    scene.live(9, watch)
    first, second, third, *_ = looked
    assert (first, 54 <= second <= 66, third) == (0, True, 101)
    assert b"\nmstunnel_connections 500.0\n" in (scene.files.read(paths.AGENT_METRICS) or b"")
    assert changes.watched == {paths.SERVER_STATE_INSIDE}


def test_interval_is_a_minute_with_some_jitter(scene: Scene) -> None:
    scene.live(20)

    assert all(54 <= nap <= 66 for nap in scene.clock.naps)
    assert len(set(scene.clock.naps)) > 1
    assert (len(scene.tenant.check_ins), scene.enrolments) == (20, 1)


def test_status_is_written_before_the_first_check_in(scene: Scene) -> None:
    scene.live(1)

    assert scene.statuses[0] == AgentStatus(started=START)


def test_status_is_renewed_while_the_tenant_is_away(scene: Scene) -> None:
    """Check the file for the container's health check: a missing tenant is tried every four minutes only."""
    scene.tenant.trouble = AWAY
    scene.live(20)
    seen = {status.last_round for status in scene.statuses}
    assert len(seen) >= 20


def test_check_in_is_written_to_the_status_at_once(scene: Scene) -> None:
    seen: list[AgentStatus] = []
    site = scene.tenant.site

    def looked(identifier: str) -> TunnelSite | None:
        seen.append(scene.statuses[-1])
        return site(identifier)

    scene.tenant.site = looked  # type: ignore[method-assign,assignment]
    scene.live(1)
    assert [status.last_check_in for status in seen] == [START]


def test_failed_round_is_written_to_the_status_at_once(scene: Scene) -> None:
    scene.tenant.trouble = AWAY
    assert scene.agent().round() is not None
    assert [status.last_error and status.last_error.code for status in scene.statuses] == [AWAY.code]


def test_round_after_an_error_signs_in_again(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    scene.tenant.trouble = AWAY
    agent.round()
    scene.tenant.trouble = None
    agent.round()

    assert (scene.enrolments, scene.closed) == (2, 1)
    handed = ["configuration-handed-over", "configuration-applied"]
    assert scene.codes() == ["checked-in", *handed, "network-unreachable", "recovered"]


@pytest.mark.parametrize(
    ("missing", "code"), [("record", "server-unknown"), ("configuration", "configuration-missing")]
)
def test_objects_missing_in_the_tenant_are_reported(scene: Scene, missing: str, code: str) -> None:
    setattr(scene.tenant, missing, None)

    assert present(scene.agent().round()).code == code
    assert scene.tenant.check_ins == ([] if missing == "record" else [{"displayName": "gw1"}])


def test_changed_proxies_in_env_sh_are_used(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    for content, enrolments in ((b"https_proxy=http://proxy:3128\n", 2), (b"DEBUG_LEVEL=1\n", 3)):
        scene.files.write(paths.ENVIRONMENT, content)
        agent.round()
        agent.round()
        assert (scene.enrolments, scene.closed) == (enrolments, enrolments - 1)
    # Errors of the file are reported elsewhere; the proxy stays.
    scene.files.write(paths.ENVIRONMENT, b"$(reboot)\n")
    assert agent.round() is None


def test_warnings_are_reported_once(scene: Scene) -> None:
    agent = scene.agent()
    scene.configure(advancedSettings=[{"name": "connect-script", "value": "/bin/sh"}])
    agent.round()
    agent.round()

    assert scene.codes().count("advanced-setting-ignored") == 1


def test_credential_is_renewed_even_if_the_round_fails(scene: Scene) -> None:
    agent = scene.agent()
    agent.renewal = renewal = FakeRenewal()
    scene.tenant.configuration = None
    assert agent.round() is not None
    assert renewal.tried == [SERVER]


def test_repeated_failure_of_a_renewal_is_reported_once(scene: Scene) -> None:
    agent = scene.agent()
    agent.renewal = FakeRenewal(ValueError("no such curve"))
    for _round in range(3):
        agent.round()
    assert (scene.codes().count("internal-error"), scene.codes().count("recovered")) == (1, 0)
    agent.renewal = None
    agent.round()
    assert scene.codes()[-1] == "recovered"


def test_waits_grow_up_to_four_minutes() -> None:
    assert [wait_seconds(failures) for failures in (0, 1, 2, 3, 1000)] == [60, 120, 240, 240, 240]


UNUSABLE = [
    "http://[fd00::1/",
    "http://a:99999/",
    "http://reader:secret@intranet.example/",
    "ftp://intranet.example/",
    "http://a/\x00",
    f"http://a/{'b' * 5000}",
]


@pytest.mark.parametrize("address", UNUSABLE, ids=[repr(address)[:30] for address in UNUSABLE])
def test_unusable_internal_address_is_ignored(scene: Scene, address: str) -> None:
    """Check an IPv6 address without its bracket, which once ended every agent of the site."""
    scene.tenant.site_record = TunnelSite(id=SITE, internal_network_probe_url=address)
    watch = HealthWatch(scene.files, scene.clock, scene.log.append, Counters(), lambda _address: None)
    scene.live(4, watch)

    assert scene.statuses[-1].last_error is None
    configuration, probe_url = present(receive(scene.files, CONFIGURATION)).configuration()
    assert (str(configuration.network), probe_url) == ("10.20.0.0/16", "")
    assert scene.codes().count("probe-url-invalid") == 1
    row = next(row for row in watch.rows if row.id == "internal-network")
    assert (row.state, "cannot be used" in row.text) == (HealthState.WARNING, True)
    assert "secret" not in "".join(scene.log) + row.text
