"""The Ansible collection on a bare server over SSH: install, run again, plan, wait, remove."""

from collections.abc import Iterator

import pytest

from tests.testbed import kinds
from tests.testbed.fleet import CLIENT_SECRET, Fleet, Recap, recap
from tests.testbed.installation import Installation
from tests.testbed.testbed import Testbed

pytestmark = pytest.mark.e2e

NOTHING = Recap(changed=0, unreachable=0, failed=0)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Testbed(kind=kinds.BARE_SSH) as testbed:
        served = testbed.start_registry()
        installation = Installation(testbed, served.references)
        installation.start_lab()
        yield Fleet.boot(installation, served, ["server"])


def test_one_server_from_bare_to_serving_and_back(fleet: Fleet) -> None:
    server = fleet.servers["server"]
    played = fleet.play("install", "--check", "--diff")
    assert "nothing is yet" in played.stdout
    assert server.run(["ls", "/opt/mstunnel-setup"], check=False).code == 2

    installed = fleet.play("install", "-vvv")
    print(installed.describe())
    assert recap(installed)["server"].failed == 0
    for text in (installed.stdout, installed.stderr):
        assert CLIENT_SECRET not in text
        assert "PRIVATE KEY" not in text
    assert server.run(["mst-cli", "status"], check=False).code == 0
    assert recap(fleet.play("install"))["server"] == NOTHING

    removed = fleet.play("uninstall")
    assert recap(removed)["server"].failed == 0
    assert fleet.installation.tenant()["servers"] == []
    for path in ("/etc/mstunnel", "/opt/mstunnel-setup", "/etc/mstunnel-setup", "/usr/sbin/mst-cli"):
        assert server.run(["test", "-e", path], check=False).code == 1, path
    assert recap(fleet.play("uninstall"))["server"] == NOTHING
