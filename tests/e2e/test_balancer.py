"""Three gateways of one site behind nginx and HAProxy, as the examples configure them, and many devices."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import pytest

from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.process import Completed
from tests.testbed.site import BALANCER, NAMES, Site, address_of, example
from tests.testbed.testbed import INTRANET_PAGE, NETWORKS
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

DEVICES: Final = 6
# What an unknown program gets: a form with nothing to fill in.
PAGE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<config-auth client="vpn" type="auth-request">\n'
    '<version who="sg">0.1(1)</version>\n'
    '<auth id="main">\n'
    "<message>Please enter your username.</message>\n"
    '<form method="post" action="/auth">\n'
    "</form></auth>\n"
    "</config-auth>"
)
KNOCK: Final = """
import socket, sys
for _ in range(int(sys.argv[2])):
    socket.create_connection((sys.argv[1], 443), 5).close()
"""


@pytest.fixture(scope="module")
def site(prepared: Installation) -> Iterator[Site]:
    booted = Site.boot(prepared.testbed, prepared.lab, DEVICES)
    yield booted
    booted.remove()


@pytest.fixture
def visited(site: Site) -> Iterator[Site]:
    """The site, whose devices disconnect afterwards."""
    yield site
    site.disconnect()


def get(site: Site, machine: str, target: str, *options: str) -> Completed:
    """What a machine gets for a plain GET; the status comes last."""
    command = ["curl", "--silent", "--insecure", "--max-time", "5", "--write-out", "\n%{http_code}", *options]
    argv = [*command, f"https://{target}/"]
    return site.testbed.namespace.podman("exec", machine, *argv, check=False)


def place(site: Site, device: str) -> str:
    """The gateway that a device is connected to; empty where there is none, or more than one."""
    found = [name for name in site.gateways if device in site.sessions(name)]
    return found[0] if len(found) == 1 else ""


def has_dtls(site: Site, name: str, device: str) -> bool:
    return bool(site.sessions(name)[device].get("DTLS cipher"))


def has_page(site: Site, device: str) -> bool:
    return site.page(device).stdout == INTRANET_PAGE


def await_all(site: Site) -> None:
    """Every device gets the page, the last one within a minute."""
    deadline = time.monotonic() + 60
    for device in site.devices:
        assert eventually(partial(has_page, site, device), deadline - time.monotonic()), device


def is_closed(site: Site, name: str) -> bool:
    return get(site, "balancer", address_of(name), "--haproxy-protocol").code == 7


def senders(site: Site) -> int:
    """From how many ports the balancer sends UDP to gateways."""
    counted = site.testbed.namespace.podman("exec", "balancer", "ss", "-Hun", "state", "established")
    return len(counted.stdout.splitlines())


def test_a_plain_get_is_answered_with_a_page_that_tells_nothing(site: Site) -> None:
    for target in (address_of("plain"), BALANCER):
        answer = get(site, "device1", target)
        assert answer.stdout == f"{PAGE}\n200"
        headers = get(site, "device1", target, "--head", "--request", "GET").stdout.lower()
        assert "server:" not in headers
        assert "ocserv" not in headers


def test_frequent_probes_cost_nothing(site: Site) -> None:
    """Another machine than the one that probes would not notice a ban."""
    site.devices["device1"].run(["python3", "-c", KNOCK, address_of("plain"), "300"])
    # Each of them is a process of ocserv, which a busy machine ends after a while.
    assert eventually(lambda: get(site, "device1", address_of("plain")).stdout.endswith("\n200"), 60)
    points = site.gateways["plain"].run(["occtl", "--json", "show", "ip", "ban", "points"]).stdout
    assert [found for found in json.loads(points or "[]") if found["Score"]] == []


def test_a_gateway_behind_a_balancer_takes_nobody_elses_word(site: Site) -> None:
    for options in ((), ("--haproxy-protocol",)):
        for name in NAMES:
            assert get(site, "device1", address_of(name), *options).code == 7
    assert get(site, "balancer", address_of("gw1"), "--haproxy-protocol").stdout.endswith("\n200")


def test_each_device_keeps_its_address_and_both_channels(visited: Site) -> None:
    """A DTLS session shows that UDP came to the server that has the TCP session."""
    for device in visited.devices:
        visited.connect(device)
    places = {device: place(visited, device) for device in visited.devices}
    assert len(set(places.values())) > 1
    for number, (device, name) in enumerate(places.items(), 101):
        assert eventually(partial(has_dtls, visited, name, device), 20), device
        assert visited.sessions(name)[device]["Remote IP"] == f"{NETWORKS['outside']}.{number}"
        assert f"{NETWORKS['outside']}.{number}" in visited.gateways[name].logs()


def test_packets_of_a_device_reach_the_server_from_one_port(visited: Site) -> None:
    """From another one a server drops them: behind a balancer, the address alone says nothing."""
    before = senders(visited)
    for device in visited.devices:
        visited.connect(device)
    for device in visited.devices:
        assert visited.page(device, times=20).stdout == 20 * INTRANET_PAGE
    assert senders(visited) == before + DEVICES


@pytest.mark.long
def test_haproxy_names_the_device_too(visited: Site) -> None:
    visited.testbed.start_balancer(
        "haproxy",
        75,
        *("haproxy", "-W", "-f", "/srv/configuration"),
        # Each takes two open files, of which there are fewer here.
        configuration=example("haproxy.cfg", map(address_of, NAMES)).replace("maxconn 20000", "maxconn 100"),
    )
    assert eventually(lambda: get(visited, "device1", address_of("haproxy")).stdout.endswith("\n200"))
    resolved = f"--resolve={BALANCER}:{address_of('haproxy')}"
    visited.connect("device1", f"https://{BALANCER}/ {resolved}")
    name = place(visited, "device1")
    assert visited.sessions(name)["device1"]["Remote IP"] == f"{NETWORKS['outside']}.101"
    assert visited.page("device1").stdout == INTRANET_PAGE
    # Probes with a header of the balancer's own leave gateways up, for longer than the first ones take.
    assert not eventually(lambda: "DOWN" in visited.testbed.namespace.podman("logs", "haproxy").stderr, 7)


@pytest.mark.long
def test_no_device_is_lost_when_servers_are_replaced_in_turn(visited: Site) -> None:
    for device in visited.devices:
        visited.keep_connected(device)
    await_all(visited)
    moved: set[str] = set()
    for name in NAMES:
        leavers = set(visited.sessions(name))
        with ThreadPoolExecutor() as pool:
            stopping = pool.submit(visited.stop, name)
            # The port is closed first; a session goes on meanwhile.
            assert eventually(partial(is_closed, visited, name), 10)
            assert all(has_page(visited, device) for device in sorted(leavers)[:1])
            stopping.result()
        await_all(visited)
        visited.start(name)
        await_all(visited)
        moved |= leavers
    assert moved == set(visited.devices)


@pytest.mark.long
def test_answers_name_the_load_balancers(site: Site, host: Installation) -> None:
    """The host's own checks and the monitor, which renders what the tenant wants, know of them too."""
    host.write_answers({"proxy_protocol_from": [address_of("balancer")]})
    host.setup()
    host.await_verdict()
    assert "listen-proxy-proto = true" in host.server.read("/etc/mstunnel/ocserv.conf")
    assert get(site, "device1", PUBLIC_ADDRESS, "--haproxy-protocol").code == 7
    answer = get(site, "balancer", PUBLIC_ADDRESS, "--haproxy-protocol")
    assert answer.stdout.endswith("\n200")
    assert host.server.run(["mst-cli", "cert", "check"]).code == 0
    host.write_answers({"proxy_protocol_from": []})
    host.setup()
    assert eventually(lambda: get(site, "device1", PUBLIC_ADDRESS).stdout.endswith("\n200"))
