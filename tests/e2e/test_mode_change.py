"""A gateway with root becomes one without, as docs/how-to/change-to-rootless.md describes."""

from collections.abc import Iterator

import pytest

from tests.testbed import kinds
from tests.testbed.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

SAVED = "/root/gw1.yaml"


@pytest.fixture(scope="module")
def rooted() -> Iterator[Installation]:
    """A gateway with root on a host that can have one without."""
    with Installation.booted(kinds.PODMAN_ROOTLESS) as installation:
        installation.write_answers({"mode": "rootful", "account": None})
        installation.setup()
        yield installation


def test_a_gateway_changes_from_root_to_rootless(rooted: Installation) -> None:
    refused = rooted.setup("--rootless", check=False)
    assert (refused.code, refused.error) == (2, "mode-installed"), refused.describe()
    leaf = rooted.cli("cert", "show").envelope["data"]["sha256"]
    before = rooted.tenant()

    rooted.program("mstunnel-setup", "answers", "save", SAVED)
    rooted.cli("uninstall", "--keep-data", "--unattended")
    left = rooted.tenant()
    assert left["servers"] == []
    assert not [name for name in left["applications"] if name.startswith("mstunnel-gateway ")]
    given = "/srv/mstunnel/gw1.yaml"
    of_root = ("mstunnel-setup", "host", "--account", "mstunnel", "--answers", SAVED)
    rooted.program(*of_root, "--unattended", "--accept-eula")
    rooted.server.run(["install", "-D", "-o", "mstunnel", "-m", "600", SAVED, given])
    command = ("mstunnel-setup", "--answers", given, "--rootless", "--unattended", "--output", "json")
    rooted.program("env", "MSTUNNEL_SERVER_NAME=gw1", *command)

    status = rooted.cli("status", check=False).envelope["data"]
    assert status["network"] is not None
    assert rooted.cli("cert", "show").envelope["data"]["sha256"] == leaf
    assert rooted.tenant()["servers"] == before["servers"]
    rooted.visit()
