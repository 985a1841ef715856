"""What stands against an uplink on a host."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness.facts.programs import obstacle, resolver

_UFW = "table ip filter {\n\tchain F {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n"
_DROPPED = "a rule of this host, such as one of ufw or Docker, drops forwarded packets"


class Programs(Processes):
    """The programs of a host, with what they print and the codes they exit with."""

    def __init__(self, missing: str = "", **programs: tuple[int, str]) -> None:
        self.programs = {"ip": (0, ""), "nft": (0, ""), **programs}
        self.programs.pop(missing, None)

    def find(self, program: str) -> str | None:
        return f"/usr/sbin/{program}" if program.replace("-", "_") in self.programs else None

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        return Completed(*self.programs[arguments[0].replace("-", "_")], "")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories("/etc")
    found.write("/etc/resolv.conf", b"nameserver 192.0.2.53\n")
    return found


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        (Programs(), ""),
        (Programs(nft=(0, _UFW)), _DROPPED),
        (Programs(nft=(0, _UFW.replace("forward", "input"))), ""),
        (Programs(nft=(0, _UFW.replace("policy drop", "policy accept"))), ""),
        (Programs(firewall_cmd=(0, "running\n")), "firewalld filters forwarded packets"),
        (Programs(firewall_cmd=(252, "not running\n")), ""),
        (Programs("ip"), "ip is not installed"),
        (Programs("nft"), "nft is not installed"),
    ],
    ids=["nothing", "ufw", "input", "accepts", "firewalld", "firewalld stopped", "no ip", "no nft"],
)
def test_what_stands_against_it(files: Files, programs: Programs, expected: str) -> None:
    assert obstacle(files, programs) == expected


def test_a_name_server_on_the_loopback_stands_against_it(files: Files) -> None:
    files.write("/etc/resolv.conf", b"nameserver 127.0.0.53\n")
    assert obstacle(files, Programs()) == "its only name server listens on the host's loopback"
    files.make_directories("/run/systemd/resolve")
    files.write("/run/systemd/resolve/resolv.conf", b"nameserver 192.0.2.53\n")
    assert resolver(files) == "/run/systemd/resolve/resolv.conf"
    assert obstacle(files, Programs()) == ""
