"""Obstacles to an uplink on a host."""

from pathlib import Path

import pytest

from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed
from mstunnel_setup.readiness.facts.programs import obstacle, resolver
from tests.unit.readiness.known import put
from tests.unit.readiness.test_read_programs import FakeProcesses, said

_UFW = "table ip filter {\n\tchain F {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n"
_DROPPED = "a rule of this host, such as one of ufw or Docker, drops forwarded packets"


BOTH = {"ip": said(""), "nft": said("")}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    put(tmp_path, {"/etc/resolv.conf": "nameserver 192.0.2.53\n"})
    return Files(tmp_path)


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        (BOTH, ""),
        ({**BOTH, "nft": said(_UFW)}, _DROPPED),
        ({**BOTH, "nft": said(_UFW.replace("forward", "input"))}, ""),
        ({**BOTH, "nft": said(_UFW.replace("policy drop", "policy accept"))}, ""),
        ({**BOTH, "firewall-cmd": said("running\n")}, "firewalld filters forwarded packets"),
        ({**BOTH, "firewall-cmd": said("not running\n", 252)}, ""),
        ({"nft": said("")}, "ip is not installed"),
        ({"ip": said("")}, "nft is not installed"),
    ],
    ids=["nothing", "ufw", "input", "accepts", "firewalld", "firewalld stopped", "no ip", "no nft"],
)
def test_obstacles_to_an_uplink_are_reported(
    files: Files, programs: dict[str, Completed], expected: str
) -> None:
    assert obstacle(files, FakeProcesses(programs)) == expected


def test_name_server_on_the_loopback_is_an_obstacle(files: Files) -> None:
    files.write("/etc/resolv.conf", b"nameserver 127.0.0.53\n")
    assert obstacle(files, FakeProcesses(BOTH)) == "its only name server listens on the host's loopback"
    put(files.root, {"/run/systemd/resolve/resolv.conf": "nameserver 192.0.2.53\n"})
    assert resolver(files) == "/run/systemd/resolve/resolv.conf"
    assert obstacle(files, FakeProcesses(BOTH)) == ""
