"""The agent checks in and brings a changed server configuration to the gateway."""

import time
from collections.abc import Iterator

import pytest

from tests.testbed import vpn
from tests.testbed.installation import Installation

pytestmark = pytest.mark.e2e

ORIGINAL = {"routeIncludes": ["10.99.0.0/24"], "network": "169.254.0.0/16"}


@pytest.fixture
def installed(host: Installation) -> Iterator[Installation]:
    host.setup()
    yield host
    host.change_configuration(ORIGINAL)


def check_in(installation: Installation) -> None:
    """Do now what the agent does every minute."""
    program = "/opt/mstunnel-setup/bin/mstunnel-agent"
    installation.server.run(["podman", "exec", "mstunnel-agent", program, "check-in"])


def gateway_says(installation: Installation, words: str) -> bool:
    """Whether the gateway has logged the words within 15 s."""
    for _ in range(60):
        # The log keeps the container's two streams apart.
        if words in installation.server.shell("mst-cli server logs --tail 100 2>&1").stdout:
            return True
        time.sleep(0.25)
    return False


def test_a_changed_configuration_reaches_the_next_session(installed: Installation) -> None:
    started = installed.started()
    installed.change_configuration({"routeIncludes": ["10.99.0.0/24", "10.77.5.0/24"]})
    check_in(installed)
    assert "route = 10.77.5.0/24" in installed.server.read("/etc/mstunnel/ocserv.conf")
    assert gateway_says(installed, "reload")
    installed.connect()
    assert installed.client_address()
    assert "10.77.5.0/24 dev tun0" in installed.testbed.client.run(["ip", "route"]).stdout
    assert installed.started() == started
    assert installed.setup("--output", "json").stdout.count('"unchanged"') == 1


def test_a_changed_pool_is_served_without_a_new_container(installed: Installation) -> None:
    started = installed.started()
    installed.change_configuration({"network": "169.254.128.0/17"})
    check_in(installed)
    assert gateway_says(installed, "restart")
    for _ in range(20):
        if installed.server.run(["mst-cli", "server", "status"], check=False).code == 0:
            break
        time.sleep(0.5)
    installed.connect()
    third = int(vpn.address(installed.testbed.client).split(".")[2])
    assert third >= 128
    assert installed.started() == started


def test_a_configuration_that_cannot_be_served_is_not_taken_over(installed: Installation) -> None:
    before = installed.server.read("/etc/mstunnel/ocserv.conf")
    installed.change_configuration({"network": "169.254.0.0/31"})
    check = installed.server.run(
        ["podman", "exec", "mstunnel-agent", "/opt/mstunnel-setup/bin/mstunnel-agent", "check-in"],
        check=False,
    )
    installed.change_configuration({"defaultDomainSuffix": "tunnel.test"})
    assert check.code == 6, check.describe()
    assert "configuration-invalid" in check.stdout
    assert installed.server.read("/etc/mstunnel/ocserv.conf") == before
