"""IPv6 on real parts: public address, tunnel, name server and page; one installation for all tests."""

from collections.abc import Iterator

import pytest

from tests.attack.two_devices import datagrams, reach, send, serve
from tests.e2e.test_agent import check_in
from tests.testbed.installation import Installation
from tests.testbed.machine import Entry, Machine
from tests.testbed.testbed import DOMAIN, Testbed

pytestmark = pytest.mark.e2e

_PUBLIC = "fd00:90::10"
_POOL = "fd00:9::"
_NAME_SERVER = "fd00:99::1"
_INTRANET = "fd00:99::80"
_PAGE = "A page that IPv6 alone reaches.\n"
_PORT = 8080
# All of the internet to the device, in both families.
_INTERNET = ("2001:db8:66::1", "198.51.100.66")
_WATCHED = 8022


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed(ipv6=True) as booted:
        yield booted


@pytest.fixture(scope="module")
def installed(testbed: Testbed) -> Installation:
    """A gateway with an IPv6 address for a name, whose devices get IPv6 and look names up over it.

    Its host has IPv6 alone, so that images, tenant and network are reached by it, too.
    """
    testbed.server.shell("for device in eth0 eth1; do ip -4 address flush dev $device; done")
    installation = Installation(testbed, testbed.start_registry().references)
    installation.prepare()
    installation.place_certificate(*installation.authority.issue(_PUBLIC))
    installation.change_site({"publicAddress": _PUBLIC})
    installation.change_configuration(
        {
            "ipv6Network": f"{_POOL}/64",
            "dnsServers": [_NAME_SERVER],
            "routeIncludes": ["fd00:99::/64", "10.99.0.0/24"],
        }
    )
    return installation


@pytest.fixture(scope="module")
def before(installed: Installation) -> tuple[dict[str, Entry], str]:
    return state(installed)


@pytest.fixture(scope="module")
def gateway(installed: Installation, before: object) -> Installation:
    installed.setup()
    installed.await_verdict()
    return installed


@pytest.fixture(scope="module")
def internet(testbed: Testbed) -> Machine:
    """A router that the device has for all that is not on its own link, watched."""
    # openconnect then reaches the gateway through it, too.
    forwards = ("--sysctl=net.ipv4.ip_forward=1", "--sysctl=net.ipv6.conf.all.forwarding=1")
    options = ("--detach", "--name=router", "--cap-add=NET_ADMIN", *forwards)
    at = "--network=outside:ip=10.90.0.70,ip6=fd00:90::70"
    testbed.namespace.podman("run", *options, at, testbed.images["lab"].reference)
    router = Machine(testbed.namespace, "router")
    for address in _INTERNET:
        router.run(["ip", "address", "add", address, "dev", "lo"])
    testbed.client.run(["ip", "-6", "route", "replace", "default", "via", "fd00:90::70", "metric", "50"])
    testbed.client.run(["ip", "-4", "route", "replace", "default", "via", "10.90.0.70"])
    serve(router, _WATCHED)
    return router


def state(installation: Installation) -> tuple[dict[str, Entry], str]:
    """The files of the host, and what its kernel forwards, without times."""
    files = installation.server.snapshot()
    kernel = installation.server.shell("sysctl net.ipv6.conf.all.forwarding; ip -brief link").stdout
    return files, kernel


def connect(gateway: Installation) -> None:
    """Connect the device to the address of the gateway, over IPv6."""
    gateway.disconnect()
    gateway.connect(f"https://[{_PUBLIC}]/")


def fetch(gateway: Installation) -> str:
    """The page, by its name."""
    url = f"http://intranet.{DOMAIN}:{_PORT}/"
    return gateway.testbed.client.run(["curl", "--silent", "--show-error", "--max-time", "10", url]).stdout


def test_a_device_fetches_a_page_over_ipv6_alone(gateway: Installation) -> None:
    """A page at an IPv6 address of the internal network, and at no other."""
    gateway.testbed.intranet.write("/root/six/index.html", _PAGE)
    serve_page = ["python3", "-m", "http.server", "--directory=/root/six", f"--bind={_INTRANET}", str(_PORT)]
    gateway.testbed.intranet.start(serve_page)
    connect(gateway)
    client = gateway.testbed.client
    assert f"inet6 {_POOL}" in client.run(["ip", "-6", "-oneline", "address", "show", "dev", "tun0"]).stdout
    assert f"nameserver {_NAME_SERVER}\n" in client.read("/etc/resolv.conf")
    assert fetch(gateway) == _PAGE
    users = gateway.cli("server", "show", "users").envelope
    assert [user["Remote IP"] for user in users["data"]["rows"]] == ["fd00:90::20"]


def test_the_host_needs_no_ipv4(gateway: Installation) -> None:
    assert gateway.server.run(["ip", "-4", "route", "show", "default"]).stdout == ""
    found = gateway.server.run(["mst-readiness", "host", "--output", "json"], check=False).envelope
    results = {item["id"]: item["result"] for item in found["data"]["findings"]}
    assert (results["ipv6-network"], results["mtu"]) == ("pass", "pass")


def test_a_second_run_changes_nothing(gateway: Installation) -> None:
    assert gateway.setup().envelope["status"] == "unchanged"


def test_device_reaches_neither_host_nor_gateway_over_ipv6(gateway: Installation) -> None:
    connect(gateway)
    client = gateway.testbed.client
    serve(gateway.server, _WATCHED)
    for target in ("fd00:99::10", "fdb3:7c1e:94a2:1::1", "fdb3:7c1e:94a2:1::2", f"{_POOL}1"):
        client.run(["ip", "route", "replace", target, "dev", "tun0"])
        assert "refused" in reach(client, target, _WATCHED), target


def test_a_full_tunnel_leaks_nothing_of_either_family(gateway: Installation, internet: Machine) -> None:
    gateway.disconnect()
    device = gateway.testbed.client
    for address in _INTERNET:
        assert send(device, address, _WATCHED, "without-tunnel") == ""
    assert datagrams(internet) == ["without-tunnel"] * len(_INTERNET)

    gateway.change_configuration({"routeIncludes": []})
    check_in(gateway)
    connect(gateway)
    for address in _INTERNET:
        send(device, address, _WATCHED, "leaked")
    assert "leaked" not in datagrams(internet)
    assert fetch(gateway) == _PAGE


def test_uninstall_takes_everything_back(gateway: Installation, before: tuple[dict[str, Entry], str]) -> None:
    gateway.disconnect()
    gateway.uninstall()
    files, kernel = state(gateway)
    assert files.keys() == before[0].keys()
    assert kernel == before[1]
