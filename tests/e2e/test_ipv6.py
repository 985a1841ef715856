"""IPv6 on real parts: public address, tunnel, name server and page; one installation for all tests."""

import json
from collections.abc import Iterator

import pytest

from tests.attack.two_devices import reach, serve
from tests.testbed import vpn
from tests.testbed.installation import Installation
from tests.testbed.testbed import DOMAIN, Testbed

pytestmark = pytest.mark.e2e

_PUBLIC = "fd00:90::10"
_POOL = "fd00:9::"
_NAME_SERVER = "fd00:99::1"
_INTRANET = "fd00:99::80"
_PAGE = "A page that IPv6 alone reaches.\n"
_PORT = 8080
_WATCHED = 8022


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed(ipv6=True) as booted:
        yield booted


@pytest.fixture(scope="module")
def installed(testbed: Testbed) -> Installation:
    """A gateway with an IPv6 address for a name, whose devices get IPv6 and look names up over it."""
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
def gateway(installed: Installation) -> Installation:
    installed.setup()
    installed.await_verdict()
    return installed


@pytest.fixture(scope="module")
def page(testbed: Testbed) -> None:
    """A page at an IPv6 address of the internal network, and at no other."""
    testbed.intranet.write("/root/six/index.html", _PAGE)
    serve_page = ["python3", "-m", "http.server", "--directory=/root/six", f"--bind={_INTRANET}", str(_PORT)]
    testbed.intranet.start(serve_page)


def connect(gateway: Installation) -> None:
    """Connect the device to the address of the gateway, over IPv6."""
    gateway.disconnect()
    connected = vpn.connect(
        gateway.testbed.client,
        f"https://[{_PUBLIC}]/",
        token=gateway.token(),
        authority=gateway.authority.pem.decode(),
    )
    assert connected.code == 0, connected.describe()


def fetch(gateway: Installation) -> str:
    """The page, by its name."""
    url = f"http://intranet.{DOMAIN}:{_PORT}/"
    return gateway.testbed.client.run(["curl", "--silent", "--show-error", "--max-time", "10", url]).stdout


def test_a_device_fetches_a_page_over_ipv6_alone(gateway: Installation, page: None) -> None:
    connect(gateway)
    client = gateway.testbed.client
    assert f"inet6 {_POOL}" in client.run(["ip", "-6", "-oneline", "address", "show", "dev", "tun0"]).stdout
    assert f"nameserver {_NAME_SERVER}\n" in client.read("/etc/resolv.conf")
    assert fetch(gateway) == _PAGE
    users = gateway.server.run(["mst-cli", "server", "show", "users", "--output", "json"]).stdout
    assert [user["Remote IP"] for user in json.loads(users)["data"]["rows"]] == ["fd00:90::20"]


def test_a_second_run_changes_nothing(gateway: Installation) -> None:
    assert json.loads(gateway.setup().stdout)["status"] == "unchanged"


def test_a_device_reaches_neither_the_host_nor_the_gateway_over_ipv6(gateway: Installation) -> None:
    connect(gateway)
    client = gateway.testbed.client
    serve(gateway.server, _WATCHED)
    for target in ("fd00:99::10", "fdb3:7c1e:94a2:1::1", "fdb3:7c1e:94a2:1::2", f"{_POOL}1"):
        client.run(["ip", "route", "replace", target, "dev", "tun0"])
        assert "refused" in reach(client, target, _WATCHED), target
