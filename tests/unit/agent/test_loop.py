import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mstunnel_setup import paths
from mstunnel_setup.agent.counters import Counters
from mstunnel_setup.agent.health import Status
from mstunnel_setup.agent.loop import Agent, wait_seconds
from mstunnel_setup.agent.report import read_health
from mstunnel_setup.agent.rows import State
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.agent.watch import Known, Watch
from mstunnel_setup.errors import NetworkError
from mstunnel_setup.gateway.log_level import VERBOSE_HOURS, begin_verbose
from mstunnel_setup.host.files import Files
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelServer, TunnelSite
from mstunnel_setup.upgrade import mailbox
from mstunnel_setup.upgrade.release import Release
from mstunnel_setup.upgrade.standing import STANDING, read_standing
from tests.unit.agent.fakes import SERVER, SITE, Ended, FakeTenant, MortalClock
from tests.unit.clocks import START
from tests.unit.upgrade.test_record import images

AWAY = NetworkError("network-unreachable", "graph.example cannot be reached", "Check the firewall.")


@dataclass
class Scene:
    files: Files
    tenant: FakeTenant
    clock: MortalClock = field(default_factory=MortalClock)
    log: list[str] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    closed: int = 0

    @property
    def enrolments(self) -> int:
        return len(self.attempts)

    def enrol(self) -> Enrolment:
        self.attempts.append(self.clock.elapsed)
        return Enrolment(cast("Any", self.tenant), SITE, SERVER, "oidc", close=self.close)

    def close(self) -> None:
        self.closed += 1

    def agent(self, watch: Watch | None = None) -> Agent:
        return Agent(
            self.enrol, self.files, self.clock, self.log.append, self.statuses.append, Counters(), watch
        )

    def configure(self, **properties: object) -> None:
        document = {"id": "c1", "displayName": "Default", "network": "10.20.0.0/16", **properties}
        self.tenant.configuration = TunnelConfiguration.from_wire(document)

    def conf(self) -> str:
        return (self.files.read(paths.OCSERV_CONF) or b"").decode()

    def codes(self) -> list[str]:
        return [line.partition(":")[0] for line in self.log]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    scene = Scene(files, FakeTenant(None, TunnelServer(id=SERVER, display_name="gw1")))
    scene.configure()
    return scene


def test_a_check_in_writes_nothing_but_the_servers_own_name(scene: Scene) -> None:
    assert scene.agent().round() is None

    assert scene.tenant.check_ins == [{"displayName": "gw1"}]
    assert scene.statuses[-1].last_check_in == START


def test_the_files_follow_the_tenant(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    assert "ipv4-network = 10.20.0.0\n" in scene.conf()

    scene.configure(network="10.30.0.0/16")
    agent.round()

    assert "ipv4-network = 10.30.0.0\n" in scene.conf()
    assert b'"Network": "10.30.0.0/16"' in (scene.files.read(paths.ADMIN_SETTINGS) or b"")
    assert scene.codes() == ["checked-in", "configuration-written", "configuration-written"]
    assert scene.statuses[-1].configuration_id == "c1"


def test_what_is_in_step_is_not_touched(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    before = [scene.files.locate(path).stat() for path in (paths.OCSERV_CONF, paths.ADMIN_SETTINGS)]
    agent.round()

    after = [scene.files.locate(path).stat() for path in (paths.OCSERV_CONF, paths.ADMIN_SETTINGS)]
    assert [(stat.st_ino, stat.st_mtime_ns) for stat in after] == [
        (stat.st_ino, stat.st_mtime_ns) for stat in before
    ]
    assert scene.codes().count("configuration-written") == 1


def test_a_configuration_that_cannot_be_served_leaves_the_old_files(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    good = scene.conf()
    scene.configure(routeIncludes=["255.255.0.0"])

    for _ in range(3):
        error = agent.round()
        assert error is not None
        assert error.code == "configuration-invalid"

    assert scene.conf() == good
    assert scene.codes().count("configuration-invalid") == 1
    status = scene.statuses[-1]
    assert status.last_error is not None
    assert (status.last_error.code, status.last_check_in) == ("configuration-invalid", START)

    scene.configure()
    assert agent.round() is None
    assert scene.codes()[-1] == "recovered"
    assert scene.statuses[-1].last_error is None


def test_a_tenant_that_is_away_is_waited_for(scene: Scene) -> None:
    scene.tenant.trouble = AWAY
    scene.clock.rounds = 22
    with pytest.raises(Ended):
        scene.agent().run()

    assert scene.codes() == ["network-unreachable"]
    assert all(nap <= 66 for nap in scene.clock.naps), "this server is looked at every minute all the same"
    spaces = [after - before for before, after in itertools.pairwise(scene.attempts)]
    expected = [120, 240, 240, 240]
    assert all(abs(space - wait) <= wait / 10 for space, wait in zip(spaces, expected, strict=False))
    assert 5 <= scene.enrolments <= 7


def test_the_report_tells_what_the_last_round_failed_at(scene: Scene) -> None:
    known: list[Known] = []
    agent = scene.agent()
    agent.watch = cast("Any", SimpleNamespace(look=known.append, state=State.UNKNOWN))
    scene.tenant.record, record = None, scene.tenant.record

    def back() -> None:
        scene.tenant.record = record

    scene.clock.during = [lambda: None, back, lambda: None]
    scene.clock.rounds = 4
    with pytest.raises(Ended):
        agent.run()
    codes = [item.last_error and item.last_error.code for item in known]
    assert codes[0] == "server-unknown"
    assert codes[-1] is None


def test_the_usual_interval_is_a_minute_with_some_jitter(scene: Scene) -> None:
    scene.clock.rounds = 20
    with pytest.raises(Ended):
        scene.agent().run()

    assert all(54 <= nap <= 66 for nap in scene.clock.naps)
    assert len(set(scene.clock.naps)) > 1
    assert (len(scene.tenant.check_ins), scene.enrolments) == (20, 1)


def test_the_status_is_there_before_the_first_check_in(scene: Scene) -> None:
    scene.clock.rounds = 1
    with pytest.raises(Ended):
        scene.agent().run()

    assert scene.statuses[0] == Status(started=START)


def test_a_round_after_trouble_signs_in_again(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    scene.tenant.trouble = AWAY
    agent.round()
    scene.tenant.trouble = None
    agent.round()

    assert (scene.enrolments, scene.closed) == (2, 1)
    assert scene.codes() == ["checked-in", "configuration-written", "network-unreachable", "recovered"]


@pytest.mark.parametrize(
    ("missing", "code"), [("record", "server-unknown"), ("configuration", "configuration-missing")]
)
def test_what_the_tenant_no_longer_has_is_named(scene: Scene, missing: str, code: str) -> None:
    setattr(scene.tenant, missing, None)

    error = scene.agent().round()

    assert error is not None
    assert error.code == code
    assert scene.tenant.check_ins == ([] if missing == "record" else [{"displayName": "gw1"}])


def test_the_debug_level_comes_from_env_sh(scene: Scene) -> None:
    agent = scene.agent()
    scene.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=3\n")
    agent.round()
    assert "log-level = 3\n" in scene.conf()

    scene.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=$(id)\n")
    error = agent.round()

    assert error is not None
    assert error.code == "environment-line-invalid"
    assert "log-level = 3\n" in scene.conf()


UNTIL = START + timedelta(hours=VERBOSE_HOURS)


def test_the_verbose_mode_begins_and_ends_while_the_tenant_is_away(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    usual = scene.conf()
    scene.tenant.trouble = AWAY
    begin_verbose(scene.files, UNTIL)
    agent.round()
    assert scene.conf() == usual.replace("log-level = 0\n", "log-level = 4\n")

    scene.clock.elapsed = VERBOSE_HOURS * 3600 - 1
    agent.round()
    assert "log-level = 4\n" in scene.conf()
    scene.clock.elapsed += 1
    # One that has started since knows nothing of the tenant.
    scene.agent().round()
    assert scene.conf() == usual
    assert scene.codes().count("log-level-changed") == 2


def test_the_verbose_mode_ends_while_the_configuration_cannot_be_served(scene: Scene) -> None:
    agent = scene.agent()
    begin_verbose(scene.files, UNTIL)
    agent.round()
    assert "log-level = 4\n" in scene.conf()
    scene.configure(routeIncludes=["255.255.0.0"])
    scene.clock.elapsed = VERBOSE_HOURS * 3600
    agent.round()
    assert "log-level = 0\n" in scene.conf()


def test_the_level_is_written_before_a_tenant_that_may_not_answer_is_asked(scene: Scene) -> None:
    scene.agent().round()
    begin_verbose(scene.files, UNTIL)
    seen: list[str] = []

    def enrol() -> Enrolment:
        seen.append(scene.conf())
        raise AWAY

    Agent(enrol, scene.files, scene.clock, scene.log.append, scene.statuses.append).round()
    assert ["log-level = 4\n" in conf for conf in seen] == [True]


def test_without_a_configuration_there_is_no_level_to_keep(scene: Scene) -> None:
    scene.tenant.trouble = AWAY
    begin_verbose(scene.files, UNTIL)
    scene.agent().round()
    assert scene.conf() == ""


def test_warnings_are_said_once(scene: Scene) -> None:
    agent = scene.agent()
    scene.configure(advancedSettings=[{"name": "connect-script", "value": "/bin/sh"}])
    agent.round()
    agent.round()

    assert scene.codes().count("advanced-setting-ignored") == 1


def test_a_new_port_waits_for_the_host_and_the_open_one_goes_on(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    scene.configure(listenPort=8443, dnsServers=["10.20.0.53"])
    agent.round()
    agent.round()

    assert "tcp-port = 443\n" in scene.conf()
    assert "dns = 10.20.0.53\n" in scene.conf()
    assert scene.codes().count("listen-port-changed") == 1


def offer(scene: Scene) -> None:
    """A newer release than the one that runs, for a site with a maintenance window at night."""
    for folder in (mailbox.INBOX, mailbox.OUTBOX):
        scene.files.make_directories(folder)
    scene.files.write(paths.IMAGES_CONFIGURED, mailbox.render(images("a").digests))
    new = images("b").digests
    release = Release(label="2.0", published=START.date(), server=new.server, agent=new.agent)
    scene.files.write(mailbox.OFFER, release.model_dump_json().encode())
    opens = (START + timedelta(hours=2)).time()
    closes = (START + timedelta(hours=3)).time()
    scene.tenant.site_record = TunnelSite(
        id=SITE, upgrade_automatically=True, upgrade_window_start_time=opens, upgrade_window_end_time=closes
    )


def test_why_an_upgrade_waits_is_said_once_and_written_at_every_check_in(scene: Scene) -> None:
    offer(scene)
    agent = scene.agent()
    for _ in range(3):
        agent.round()
        scene.clock.elapsed += 60
    assert scene.codes().count("upgrade-waits") == 1
    found = read_standing(scene.files)
    assert found is not None
    assert (found.code, found.at) == ("window-closed", START + timedelta(minutes=2))

    scene.clock.elapsed = 2 * 3600
    agent.round()
    found = read_standing(scene.files)
    assert found is not None
    assert (found.code, found.waits) == ("begin", False)
    agent.round()
    assert scene.codes()[-2:] == ["upgrade-requested", "upgrade-waits"]
    assert "has not taken the agent's request" in scene.log[-1]


def test_a_configuration_arrives_though_no_upgrade_can_be_decided(scene: Scene) -> None:
    offer(scene)
    scene.clock.elapsed = 2 * 3600
    scene.tenant.trouble, scene.tenant.troubled = AWAY, ("servers",)
    agent = scene.agent()
    for _ in range(3):
        assert agent.round() is None
    assert "ipv4-network = 10.20.0.0\n" in scene.conf()
    assert scene.files.state(mailbox.REQUEST) is None
    assert scene.log.count(f"upgrade-waits: {AWAY.message} (undecided)") == 1
    found = read_standing(scene.files)
    assert found is not None
    assert (found.code, found.waits) == ("undecided", True)
    scene.tenant.trouble = None
    agent.round()
    assert scene.codes()[-1] == "upgrade-requested"


def test_an_upgrade_is_asked_for_though_no_configuration_can_be_served(scene: Scene) -> None:
    offer(scene)
    scene.clock.elapsed = 2 * 3600
    scene.tenant.configuration = None
    error = scene.agent().round()
    assert error is not None
    assert error.code == "configuration-missing"
    assert scene.files.state(mailbox.REQUEST) is not None


def test_the_credential_is_renewed_though_the_rest_of_the_round_fails(scene: Scene) -> None:
    tried: list[str] = []
    agent = scene.agent()
    agent.renewal = cast(
        "Any", SimpleNamespace(renew_in_time=lambda enrolment: tried.append(enrolment.server_id))
    )
    scene.tenant.configuration = None
    assert agent.round() is not None
    assert tried == [SERVER]


def test_a_place_that_cannot_be_written_does_not_stop_the_agent(scene: Scene) -> None:
    offer(scene)
    scene.files.make_directories(STANDING)
    assert scene.agent().round() is None


@pytest.mark.parametrize(
    ("counted", "available", "state"),
    [
        (0, None, State.HEALTHY),
        (0, True, State.WARNING),
        (2, False, State.UNHEALTHY),
        (1, None, State.WARNING),
        (2, True, State.UNHEALTHY),
        (None, True, State.WARNING),
        (None, False, State.HEALTHY),
        (None, None, State.UNKNOWN),
    ],
)
def test_the_version_is_judged_by_the_releases_that_the_host_counts(
    scene: Scene, counted: int | None, available: bool | None, state: State
) -> None:
    """From the host's message and the tenant's site to the row of the health report."""
    scene.files.make_directories(mailbox.OUTBOX)
    scene.files.write(mailbox.SUMMARY, mailbox.Summary(behind=counted).model_dump_json().encode())
    scene.tenant.site_record = TunnelSite(id=SITE, upgrade_available=available)
    watch = Watch(scene.files, scene.clock, scene.log.append, Counters(), lambda _address: None)
    scene.clock.rounds = 1
    with pytest.raises(Ended):
        scene.agent(watch).run()
    report = read_health(scene.files)
    assert report is not None
    assert {row.id: row.state for row in report.rows}["server-version"] is state


def test_waits_grow_to_the_time_after_which_a_server_counts_as_offline() -> None:
    assert [wait_seconds(failures) for failures in (0, 1, 2, 3, 1000)] == [60, 120, 240, 240, 240]
