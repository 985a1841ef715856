"""Servers of one site behind nginx, run by the Ansible collection, with a device that stays connected."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.testbed import processors
from tests.testbed.fleet import BALANCER, Fleet, address_of, recap
from tests.testbed.installation import PUBLIC_ADDRESS, URL
from tests.testbed.outage import Outage
from tests.testbed.paths import JOURNAL
from tests.testbed.process import Completed
from tests.testbed.registry import releases
from tests.testbed.site import example
from tests.testbed.testbed import INTRANET_PAGE
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(1800)]

SITE = ("server", "gw2", "gw3")
LONGEST_OUTAGE = 60.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Four bare servers; the tests below go on from one another."""
    with Fleet.running(*SITE, "gw4") as fleet:
        yield fleet


def serving(fleet: Fleet, name: str) -> str:
    """Name of the gateway's image that a healthy server runs; empty where it does not serve."""
    status = fleet.servers[name].run(["mst-cli", "status", "--output", "json"], check=False)
    if status.code:
        return ""
    running = status.envelope["data"]["mstunnel-server"]["image_digest"]
    host = fleet.installation
    return next(image for image in host.references if host.digest(image) == running)


def failures(played: Completed) -> dict[str, int]:
    """How many tasks failed on each server."""
    return {name: server.failed for name, server in recap(played).items()}


def changes(played: Completed) -> dict[str, int]:
    """How many tasks changed something on each server."""
    return {name: server.changed for name, server in recap(played).items()}


def all_serve(fleet: Fleet, names: Iterable[str]) -> bool:
    return all(serving(fleet, name) for name in names)


@pytest.fixture
def device(fleet: Fleet) -> Iterator[Outage]:
    """A device that is connected through the balancer and gets the page, and goes on to fetch it."""
    installation = fleet.installation
    assert eventually(partial(all_serve, fleet, SITE), 60)
    installation.keep_connected(f"{URL} --resolve={PUBLIC_ADDRESS}:{BALANCER}")
    installation.await_page()
    command = ["curl", "--silent", "--max-time", "2", installation.lab["internal_url"]]
    client = installation.testbed.client
    fetching = Outage(lambda: client.run(command, check=False).stdout == INTRANET_PAGE, pause=0.2)
    fetching.start()
    yield fetching
    fetching.stop()
    installation.disconnect()


def test_three_servers_are_installed_and_left_alone_afterwards(fleet: Fleet) -> None:
    assert failures(fleet.play("install", limit=SITE)) == dict.fromkeys(SITE, 0)
    assert sorted(fleet.installation.tenant()["servers"]) == sorted(SITE)
    assert set(changes(fleet.play("install", limit=SITE)).values()) == {0}


def test_check_mode_shows_the_plan_and_changes_nothing(fleet: Fleet) -> None:
    fleet.variables["mstunnel_gateway_answers"]["proxy_protocol_from"] = [BALANCER]
    journals = [fleet.servers[name].read(JOURNAL) for name in SITE]
    planned = fleet.play("install", "--check", "--diff", limit=SITE)
    assert changes(planned) == dict.fromkeys(SITE, 1)
    assert planned.stdout.count("write /etc/mstunnel/balancers") == len(SITE)
    assert f"+{BALANCER}" in planned.stdout
    assert [fleet.servers[name].read(JOURNAL) for name in SITE] == journals
    assert changes(fleet.play("install", limit=SITE)) == dict.fromkeys(SITE, 1)


@pytest.fixture(scope="module")
def balancer(fleet: Fleet) -> None:
    """The example of nginx, with the addresses of the site."""
    text = example("nginx.conf", map(address_of, SITE))
    serve = ("nginx", "-c", "/srv/configuration", "-g", "daemon off;")
    fleet.installation.testbed.start_balancer("balancer", 70, *serve, configuration=text)


@pytest.mark.usefixtures("balancer")
def test_a_rolling_upgrade_leaves_the_site_served(fleet: Fleet, device: Outage) -> None:
    fleet.variables["mstunnel_gateway_releases"] = releases(
        fleet.installation.references, "2.0", "gateway-next", "agent-next"
    )
    fleet.variables |= {"mstunnel_gateway_drain": 1, "mstunnel_gateway_settle": 5}
    played = fleet.play("upgrade", limit=SITE)
    longest = device.stop()
    print(f"{device.times} pages, at most {longest:.1f} s without one; the play took {played.seconds:.0f} s")
    assert failures(played) == dict.fromkeys(SITE, 0)
    assert {name: serving(fleet, name) for name in SITE} == dict.fromkeys(SITE, "gateway-next")
    assert longest < LONGEST_OUTAGE


@pytest.mark.usefixtures("balancer")
def test_the_play_stops_at_a_server_that_does_not_come_back(fleet: Fleet, device: Outage) -> None:
    """The second one gets an image that never becomes healthy: it goes back, and the third is left alone."""
    fleet.variables["mstunnel_gateway_releases"] = releases(
        fleet.installation.references, "3.0", "gateway", "agent"
    )
    broken = releases(fleet.installation.references, "3.0", "gateway-unhealthy", "agent")
    hosts = {"gw2": {"mstunnel_gateway_releases": broken}}
    played = fleet.play("upgrade", limit=SITE, hosts=hosts, check=False)
    longest = device.stop()
    print(f"{device.times} pages, at most {longest:.1f} s without one; the play took {played.seconds:.0f} s")
    assert failures(played) == {"server": 0, "gw2": 1, "gw3": 0}
    assert "the earlier release is in use again" in played.stdout
    assert eventually(partial(all_serve, fleet, SITE), 60)
    running = {name: serving(fleet, name) for name in SITE}
    assert running == {"server": "gateway", "gw2": "gateway-next", "gw3": "gateway-next"}
    assert longest < LONGEST_OUTAGE


def test_no_server_is_upgraded_while_another_one_does_not_serve(fleet: Fleet) -> None:
    fleet.servers["gw3"].run(["mst-cli", "server", "stop"])
    before = {name: serving(fleet, name) for name in SITE}
    assert before["gw3"] == ""
    played = fleet.play("upgrade", limit=SITE, check=False)
    assert failures(played) == {"server": 0, "gw2": 0, "gw3": 1}
    assert "gw3 is not serving, so none is upgraded" in played.stdout
    assert {name: serving(fleet, name) for name in SITE} == before


def test_all_servers_are_removed(fleet: Fleet) -> None:
    assert failures(fleet.play("uninstall", limit=SITE)) == dict.fromkeys(SITE, 0)
    assert fleet.installation.tenant()["servers"] == []
    for name in SITE:
        assert fleet.servers[name].run(["test", "-e", "/etc/mstunnel"], check=False).code == 1


def test_four_servers_take_at_most_twice_as_long_as_one(fleet: Fleet) -> None:
    """Each has a third of a processor: servers have their own, and those of a testbed share this computer's.

    Where they cannot be limited, all four wait for the same processors: less than four times is asked for.
    """
    limited = processors.can_be_limited()
    with ExitStack() as limits:
        for server in fleet.servers.values() if limited else ():
            limits.enter_context(processors.limited(server, 1 / 3))
        took = {}
        for names in (["server"], [*SITE, "gw4"]):
            played = fleet.play("install", limit=names)
            assert failures(played) == dict.fromkeys(names, 0)
            took[len(names)] = played.seconds
            fleet.play("uninstall", limit=names)
        print("seconds to install:", {number: round(seconds) for number, seconds in took.items()})
        assert took[4] <= 2 * took[1] if limited else took[4] < 4 * took[1]
