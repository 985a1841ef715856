"""Firewalls of the host that let nothing in: whether devices come through, and whether readiness says so."""

import json
from collections.abc import Iterator

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import MachineInstallation
from tests.testbed import vpn
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("firewalls"), pytest.mark.timeout(1800)]

_INSTALLED = "installed"
_NFTABLES = """\
nft -f - <<'END'
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        ip protocol icmp accept
        tcp dport 22 accept
    }
}
END
"""
# Each lets ssh in and nothing else.
_FIREWALLS = {
    "nftables": _NFTABLES,
    "firewalld": "systemctl start firewalld && firewall-cmd --state",
    "ufw": "ufw allow 22/tcp && ufw --force enable",
}


@pytest.fixture(scope="module")
def host() -> Iterator[MachineInstallation]:
    """A machine that serves, in a state that is kept, without a firewall."""
    with booted_in_user_mode("trixie-firewalls") as installation:
        installation.setup()
        assert installation.serves() == []
        installation.keep(_INSTALLED)
        yield installation


@pytest.mark.parametrize("firewall", _FIREWALLS)
def test_readiness_says_whether_a_closed_firewall_keeps_devices_out(
    host: MachineInstallation, firewall: str
) -> None:
    host.go_back(_INSTALLED)
    host.server.run(["sh", "-ec", _FIREWALLS[firewall]])
    complaints = [*judged(host), *judged_after_fix(host)]
    record.add(host.bed, f"Closed {firewall}: readiness and devices agree, also after `--fix`", complaints)
    assert complaints == []


def judged(host: MachineInstallation) -> list[str]:
    """Where readiness and devices do not agree."""
    said, seen = readiness(host), reached(host)
    return [] if said == seen else [f"readiness says {said}, devices reach {seen}"]


def judged_after_fix(host: MachineInstallation) -> list[str]:
    """What is not open, or said not to be, after `mst-readiness --fix`."""
    host.program("mst-readiness", "host", "--fix", "--unattended", check=False)
    said, seen = readiness(host), reached(host)
    return [] if said == seen == {"tcp": True, "udp": True} else [f"fixed: {said}, devices reach {seen}"]


def readiness(host: MachineInstallation) -> dict[str, bool]:
    """Whether readiness finds both ports open."""
    report = json.loads(host.program("mst-readiness", "host", "--output", "json", check=False).stdout)
    results = {check["id"]: check["result"] for check in report["data"]["findings"]}
    return {name: results[f"firewall-{name}"] == "pass" for name in ("tcp", "udp")}


def reached(host: MachineInstallation) -> dict[str, bool]:
    """Whether a device comes to the gateway by both protocols."""
    if not host.answers_tls():
        return {"tcp": False, "udp": False}
    host.connect()
    udp = eventually(lambda: "Established DTLS" in host.testbed.client.read(vpn.LOG), 20)
    host.disconnect()
    return {"tcp": True, "udp": udp}
