"""The agent checks in and brings a changed server configuration to the gateway."""

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.testbed import vpn
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

ORIGINAL = {
    "routeIncludes": ["10.99.0.0/24"],
    "routeExcludes": [],
    "network": "169.254.0.0/16",
    "dnsServers": ["10.99.0.1"],
    "advancedSettings": [],
    "listenPort": 443,
    "disableUdpConnections": False,
}
INTERNAL_ADDRESS = "internalNetworkProbeUrl"
CHECK_IN = ("podman", "exec", "mstunnel-agent", "/opt/mstunnel-setup/bin/mstunnel-agent", "check-in")


@pytest.fixture
def installed(host: Installation) -> Iterator[Installation]:
    host.setup()
    yield host
    host.change_configuration(ORIGINAL)


def check_in(installation: Installation) -> str:
    """Do now what the agent does every minute; what it says."""
    return installation.server.run(CHECK_IN).stdout


def row(installation: Installation, name: str) -> dict[str, Any]:
    """One row of the health table, as `mst-cli health` has it."""
    done = installation.cli("health", check=False)
    rows = done.envelope["data"]["rows"]
    return next((item for item in rows if item["id"] == name), {"state": "none", "text": ""})


def applies_the_configuration(installation: Installation) -> bool:
    """Whether the gateway has reported that it serves with the configuration that is there now."""
    digest = "$(sha256sum /etc/mstunnel/ocserv.conf | cut -c-64)"
    said = f'grep -q "^configuration {digest} applied" /var/lib/mstunnel-gateway/state/report'
    return installation.server.shell(said, check=False).code == 0


def gateway_says(installation: Installation, words: str) -> bool:
    """Whether the gateway has logged the words within 15 s."""
    # The log keeps the container's two streams apart.
    logs = "mst-cli server logs --tail 100 2>&1"
    return eventually(lambda: words in installation.server.shell(logs).stdout, 15)


def test_changed_configuration_reaches_the_next_session(
    installed: Installation,
) -> None:
    # From a full tunnel to rules the pool of IPv6 goes, which takes a restart of ocserv.
    installed.change_configuration({"routeIncludes": ["10.99.0.0/24"]})
    check_in(installed)
    assert "route = 10.99.0.0/24" in installed.server.read("/etc/mstunnel/ocserv.conf")
    # A client whose session ocserv's restart interrupts connects again, and then restores no name servers.
    assert eventually(lambda: applies_the_configuration(installed))
    started = installed.started()
    installed.connect()
    address = installed.client_address()
    changes = {
        "routeIncludes": ["10.99.0.0/24", "10.77.5.0/24"],
        "dnsServers": ["10.99.0.54", "10.99.0.1"],
        "advancedSettings": [{"name": "session-timeout", "value": "1200"}],
    }
    installed.change_configuration(changes)
    check_in(installed)
    assert "route = 10.77.5.0/24" in installed.server.read("/etc/mstunnel/ocserv.conf")
    assert gateway_says(installed, "reload")
    assert eventually(lambda: applies_the_configuration(installed))
    assert installed.client_address() == address
    installed.check_page()
    installed.disconnect()
    log = installed.connect().stdout
    assert installed.client_address()
    assert "10.77.5.0/24 dev tun0" in installed.testbed.client.run(["ip", "route"]).stdout
    assert "nameserver 10.99.0.54" in installed.testbed.client.read("/etc/resolv.conf")
    (end,) = re.findall(r"authentication will expire at \w+ (.*)", log)
    ends = datetime.strptime(end, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    assert 1100 < (ends - datetime.now(UTC)).total_seconds() <= 1200
    assert installed.started() == started
    assert installed.setup("--output", "json").stdout.count('"unchanged"') == 1


@pytest.mark.long
def test_a_changed_pool_is_served_without_a_new_container(installed: Installation) -> None:
    started = installed.started()
    installed.change_configuration({"network": "169.254.128.0/17"})
    check_in(installed)
    assert gateway_says(installed, "restart")
    assert eventually(lambda: installed.server.run(["mst-cli", "server", "status"], check=False).code == 0)
    installed.connect()
    third = int(vpn.address(installed.testbed.client).split(".")[2])
    assert third >= 128
    assert installed.started() == started


@pytest.mark.long
def test_what_the_rules_exclude_goes_round_the_tunnel(installed: Installation) -> None:
    client = installed.testbed.client
    installed.change_configuration({"routeExcludes": ["10.99.0.128/25"]})
    check_in(installed)
    assert eventually(
        lambda: "no-route = 10.99.0.128" in installed.server.read("/etc/mstunnel/ocserv.conf"), 15
    )
    # What is excluded needs another way to go.
    client.run(["ip", "-4", "route", "replace", "default", "via", "10.90.0.30"])
    installed.connect()
    ways = {host: client.run(["ip", "route", "get", f"10.99.0.{host}"]).stdout for host in (80, 200)}
    client.run(["ip", "-4", "route", "delete", "default"])
    assert "dev tun0" in ways[80]
    assert "via 10.90.0.30" in ways[200]


@pytest.mark.long
def test_without_udp_a_device_connects_over_tcp_alone(installed: Installation) -> None:
    sockets = ["podman", "exec", "mstunnel-server", "cat", "/proc/net/udp", "/proc/net/udp6"]
    port = f":{ORIGINAL['listenPort']:04X} "
    assert port in installed.server.run(sockets).stdout
    installed.change_configuration({"disableUdpConnections": True})
    check_in(installed)
    assert eventually(lambda: port not in installed.server.run(sockets, check=False).stdout, 30)
    installed.wait_until_healthy()
    installed.connect()
    installed.check_page()
    assert port not in installed.server.run(sockets).stdout


@pytest.mark.long
def test_a_configuration_that_cannot_be_served_is_not_taken_over(installed: Installation) -> None:
    before = installed.server.read("/etc/mstunnel/ocserv.conf")
    installed.change_configuration({"advancedSettings": [{"name": "mtu", "value": "abc"}]})
    check = installed.server.run(CHECK_IN, check=False)
    installed.change_configuration({"defaultDomainSuffix": "tunnel.test"})
    assert check.code == 6, check.describe()
    assert "configuration-invalid" in check.stdout
    assert installed.server.read("/etc/mstunnel/ocserv.conf") == before


@pytest.mark.long
def test_a_configuration_refused_by_the_gateway_is_rolled_back(installed: Installation) -> None:
    """Devices with certificates need an authority, which is not there: only ocserv itself can tell."""
    before = installed.server.read("/etc/mstunnel/ocserv.conf")
    record = installed.server.read("/etc/mstunnel/gateway-settings.json")
    changed = json.dumps({**json.loads(record), "authentication": "certificate"})
    installed.server.write("/etc/mstunnel/gateway-settings.json", changed, 0o644)
    # The agent gets the reply a check-in later.
    installed.server.run(["mst-cli", "agent", "restart"])
    assert eventually(lambda: row(installed, "server-configuration")["state"] == "unhealthy", 90)
    assert "device-ca.crt" in row(installed, "server-configuration")["text"]
    assert installed.server.read("/etc/mstunnel/ocserv.conf") == before
    installed.connect()
    installed.check_page()
    installed.server.write("/etc/mstunnel/gateway-settings.json", record, 0o644)
    installed.server.run(["mst-cli", "agent", "restart"])
    assert eventually(lambda: row(installed, "server-configuration")["state"] == "healthy", 90)


@pytest.mark.long
def test_a_changed_port_is_served_with_no_hand_on_the_host(installed: Installation) -> None:
    """The agent passes on the port; the monitor re-creates the container, which publishes it."""
    installed.connect()
    installed.change_configuration({"listenPort": 8443})
    assert "listen-port-changed" in check_in(installed)
    assert eventually(lambda: "tcp-port = 8443" in installed.server.read("/etc/mstunnel/ocserv.conf"), 90)
    installed.disconnect()
    installed.wait_until_healthy()
    installed.connect(f"https://{PUBLIC_ADDRESS}:8443/")
    installed.check_page()
    started = installed.started()
    assert installed.setup("--output", "json").envelope["status"] == "unchanged"
    assert installed.started() == started


@pytest.mark.long
def test_the_agent_can_change_nothing_but_its_own(installed: Installation) -> None:
    """It is not root, and no account of the host; of the keys it can read its own."""
    inside = ("podman", "exec", "mstunnel-agent", "/opt/mstunnel-setup/bin/python3.13", "-IBc")
    me = installed.server.run(
        [*inside, "import os; print(os.getuid(), open('/proc/1/status').read())"]
    ).stdout
    assert me.split()[0] == "65532"
    assert me.partition("CapEff:")[2].split()[0] == "0" * 16
    assert installed.server.run(["getent", "passwd", "65532"], check=False).code == 2
    places = ("/etc/mstunnel", "/var/lib/mstunnel-agent", "/var/lib/mstunnel-server")
    directories = f"(directory for place in {places} for directory, _, _ in os.walk(place))"
    script = f"import os; print(*(directory for directory in {directories} if os.access(directory, os.W_OK)))"
    writable = installed.server.run([*inside, script]).stdout
    assert sorted(writable.split()) == [
        "/etc/mstunnel/agent",
        "/etc/mstunnel/messages/in",
        "/var/lib/mstunnel-agent",
    ]
    keys = [f"/etc/mstunnel/private/{name}" for name in ("agent.p12", "active/key.pem", "active/chain.pem")]
    script = f"import os; print(*(key for key in {keys} if os.access(key, os.R_OK)))"
    readable = installed.server.run([*inside, script]).stdout
    assert readable.split() == ["/etc/mstunnel/private/agent.p12", "/etc/mstunnel/private/active/chain.pem"]


@pytest.mark.long
def test_the_internal_address_is_tried_by_the_gateway_itself(installed: Installation) -> None:
    """Through the network that devices will use; an error has curl's message, with DNS and proxy."""
    assert eventually(lambda: row(installed, "internal-network")["state"] == "healthy", 120)
    # The gateway tries another address as soon as it is the site's.
    installed.change_site({INTERNAL_ADDRESS: "http://10.99.0.80:81/"})
    check_in(installed)
    report = "/var/lib/mstunnel-gateway/state/report"
    assert eventually(lambda: "10.99.0.80:81/ {" in installed.server.read(report), 45)
    (account,) = re.findall(r"^probe \d+ \S+ (.*)$", installed.server.read(report), re.MULTILINE)
    assert json.loads(account)["exitcode"] == 7
    assert "10.99.0.80" in json.loads(account)["errormsg"]
    installed.change_site({INTERNAL_ADDRESS: "http://intranet.tunnel.test/"})
    installed.disconnect()


def use(installation: Installation) -> tuple[float, float]:
    """What the agent's process has used: processor seconds so far, and MiB of memory in use now.

    Of memory that it has in common with other processes its share counts.
    """
    pid = installation.processes()[1]
    stat = installation.server.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # proc_pid_stat(5): user and system time of the process and its children, in ticks.
    ticks = sum(map(int, stat[11:15]))
    rollup = installation.server.read(f"/proc/{pid}/smaps_rollup")
    (kibibytes,) = re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return ticks / os.sysconf("SC_CLK_TCK"), int(kibibytes) / 1024


@pytest.mark.long
def test_the_metrics_follow_a_session_within_15_seconds(installed: Installation) -> None:
    """Gateway and agent report once a minute each: what both do at rest would take two minutes."""

    def waited_for(connections: int) -> float:
        began = time.monotonic()
        shown = f"grep -qx 'mstunnel_connections {connections}.0' /var/lib/mstunnel-agent/metrics.prom"
        assert eventually(lambda: installed.server.shell(shown, check=False).code == 0, 130)
        return time.monotonic() - began

    waited_for(0)
    found = []
    for act, connections in ((installed.connect, 1), (installed.disconnect, 0)) * 3:
        act()
        found.append(waited_for(connections))
    print("seconds behind:", *(f"{seconds:.1f}" for seconds in found))
    assert max(found) <= 15


def test_an_idle_agent_takes_little(installed: Installation) -> None:
    """Some 60 MiB, of which a part is shared, and at most half a percent of a core, with all it does."""
    # The first round reads more than those that follow.
    time.sleep(30)
    (before, _), started = use(installed), time.monotonic()
    time.sleep(180)
    (after, memory), seconds = use(installed), time.monotonic() - started
    percent = 100 * (after - before) / seconds
    print(f"idle agent: {percent:.2f} % of a core, {memory:.1f} MiB")
    # It has 59.9 to 60.1 MiB, 27 of them files of the image.
    assert 0 < memory <= 62
    assert 0 < percent <= 0.5
