"""Users with name and password: a real RADIUS server judges them, and its secret is nowhere else."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.conftest import clear
from tests.e2e.pods import played
from tests.testbed import vpn
from tests.testbed.installation import Installation
from tests.testbed.process import Completed

pytestmark = pytest.mark.e2e

SECRET: Final = "Radius#,Key;with=signs$"
PASSWORD: Final = "correct horse"
PLACE: Final = "/etc/mstunnel/private/radius/servers"


@pytest.fixture(scope="module")
def installed(prepared: Installation) -> Iterator[Installation]:
    prepared.restore()
    prepared.testbed.start_radius(SECRET, "ada", PASSWORD)
    prepared.server.write(prepared.path("radius-secret"), f"{SECRET}\n", 0o600)
    servers = {"servers": "radius.tunnel.test", "secret": f"file:{prepared.path('radius-secret')}"}
    prepared.write_answers({"authentication": "radius", "radius": servers})
    prepared.setup()
    yield prepared
    assert "radius" not in clear(prepared)


def connect(host: Installation, user: str, password: str) -> Completed:
    host.disconnect()
    return host.sign_in(password=(user, password))


def test_a_user_connects_with_the_right_password_and_is_known_by_name(installed: Installation) -> None:
    connect(installed, "ada", PASSWORD).checked()
    installed.check_page()
    assert "ada" in installed.server.run(["mst-cli", "server", "show", "users"]).stdout


@pytest.mark.parametrize(("user", "password"), [("ada", "wrong"), ("grace", PASSWORD)])
def test_a_wrong_password_or_an_unknown_user_is_refused(
    installed: Installation, user: str, password: str
) -> None:
    refused = connect(installed, user, password)
    assert refused.code != 0, refused.describe()
    assert vpn.address(installed.testbed.client, seconds=1) == ""


def test_a_pod_asks_the_same_servers(installed: Installation) -> None:
    with played(installed):
        assert connect(installed, "ada", "wrong").code != 0
        connect(installed, "ada", PASSWORD).checked()
        installed.check_page()


def test_the_secret_is_in_one_file_that_its_owner_alone_reads(installed: Installation) -> None:
    server = installed.server
    server.run(["mst-cli", "log", "level", "verbose"])
    assert connect(installed, "ada", PASSWORD).code == 0
    assert PASSWORD not in server.run(["mst-cli", "server", "logs", "--tail", "2000"]).stdout
    server.run(["mst-cli", "diagnose", "/root/radius-bundle.tar.gz", "--unattended"])
    server.run(["sh", "-c", "mkdir -p /tmp/bundle && tar -xzf /root/radius-bundle.tar.gz -C /tmp/bundle"])
    places = (
        "/etc/mstunnel /var/lib/mstunnel /var/lib/mstunnel-agent /var/lib/mstunnel-gateway /var/log /run /tmp"
    )
    found = server.shell(f"grep -rlF '{SECRET}' {places} 2>/dev/null", check=False).stdout.split()
    assert found == [PLACE]
    assert server.run(["stat", "--format=%a %u", PLACE]).stdout.split() == ["600", "0"]
