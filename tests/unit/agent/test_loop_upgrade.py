"""Upgrades in the rounds of the agent: requested, awaited, reported, and never blocking the rest."""

from datetime import timedelta

import pytest

from mstunnel_setup.agent.health_watch import HealthWatch
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base import paths
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.health_report import HealthState, read_health
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest
from mstunnel_setup.exchange.release_catalogue import Release
from mstunnel_setup.exchange.upgrade_standing import STANDING, read_standing
from mstunnel_setup.tenant.wire import TunnelSite
from tests.unit.agent.fakes import AWAY, SITE, Scene
from tests.unit.clocks import START
from tests.unit.exchange.test_record import images
from tests.unit.present import present


def offer(scene: Scene) -> None:
    """Offer a release newer than the installed one, to a site with a maintenance window at night."""
    for directory in (paths.INBOX, paths.OUTBOX):
        scene.files.make_directories(directory)
    scene.files.write(paths.IMAGES_CONFIGURED, AgentRequest.to_upgrade(images("a").digests).payload)
    new = images("b").digests
    release = Release(label="2.0", published=START.date(), server=new.server, agent=new.agent)
    scene.files.write(mailbox.OFFER, release.model_dump_json().encode())
    opens = (START + timedelta(hours=2)).time()
    closes = (START + timedelta(hours=3)).time()
    scene.tenant.site_record = TunnelSite(
        id=SITE, upgrade_automatically=True, upgrade_window_start_time=opens, upgrade_window_end_time=closes
    )


def test_reason_why_an_upgrade_waits_is_logged_once(scene: Scene) -> None:
    offer(scene)
    agent = scene.agent()
    for _ in range(3):
        agent.round()
        scene.clock.elapsed += 60
    assert scene.codes().count("upgrade-waits") == 1
    found = present(read_standing(scene.files))
    assert (found.code, found.at) == ("window-closed", START + timedelta(minutes=2))

    scene.clock.elapsed = 2 * 3600
    agent.round()
    found = present(read_standing(scene.files))
    assert (found.code, found.waits) == ("begin", False)
    agent.round()
    assert scene.codes()[-2:] == ["upgrade-requested", "upgrade-waits"]
    assert "has not picked up the agent's request" in scene.log[-1]


def test_configuration_arrives_without_an_upgrade_decision(scene: Scene) -> None:
    offer(scene)
    scene.clock.elapsed = 2 * 3600
    scene.tenant.trouble, scene.tenant.troubled = AWAY, ("servers",)
    agent = scene.agent()
    for _ in range(3):
        assert agent.round() is None
    assert "ipv4-network = 10.20.0.0\n" in scene.conf()
    assert scene.files.state(UPGRADE.request) is None
    assert scene.log.count(f"upgrade-waits: {AWAY.message!s} (undecided)") == 1
    found = present(read_standing(scene.files))
    assert (found.code, found.waits) == ("undecided", True)
    scene.tenant.trouble = None
    agent.round()
    assert scene.codes()[-1] == "upgrade-requested"


def test_upgrade_is_requested_without_a_configuration(scene: Scene) -> None:
    offer(scene)
    scene.clock.elapsed = 2 * 3600
    scene.tenant.configuration = None
    assert present(scene.agent().round()).code == "configuration-missing"
    assert scene.files.state(UPGRADE.request) is not None


def test_unwritable_file_does_not_stop_the_agent(scene: Scene) -> None:
    offer(scene)
    scene.files.make_directories(STANDING)
    assert scene.agent().round() is None


@pytest.mark.parametrize(
    ("counted", "available", "state"),
    [
        (0, None, HealthState.HEALTHY),
        (0, True, HealthState.WARNING),
        (2, False, HealthState.UNHEALTHY),
        (1, None, HealthState.WARNING),
        (2, True, HealthState.UNHEALTHY),
        (None, True, HealthState.WARNING),
        (None, False, HealthState.HEALTHY),
        (None, None, HealthState.UNKNOWN),
    ],
)
def test_server_version_is_judged_by_the_releases_behind(
    scene: Scene, counted: int | None, available: bool | None, state: HealthState
) -> None:
    """Check the way from the host's message and the tenant's site to the row of the health report."""
    scene.files.make_directories(paths.OUTBOX)
    scene.files.write(mailbox.SUMMARY, mailbox.Summary(behind=counted).model_dump_json().encode())
    scene.tenant.site_record = TunnelSite(id=SITE, upgrade_available=available)
    watch = HealthWatch(scene.files, scene.clock, scene.log.append, Counters(), lambda _address: None)
    scene.live(1, watch)
    assert {row.id: row.state for row in present(read_health(scene.files)).rows}["server-version"] is state
