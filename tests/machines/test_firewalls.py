"""Firewalls of the host that let nothing in: whether devices come through, and whether readiness says so."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import PROGRAM, MachineInstallation
from tests.testbed import vpn
from tests.testbed.installation import PUBLIC_ADDRESS
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

# Whether a device comes through, for each protocol.
Ports: TypeAlias = dict[str, bool]

_INSTALLED = "installed"
_READINESS = "/root/mst-readiness"
# As rootless Podman publishes a port: pasta listens to it, as a user.
_PORT = 8443
_ROOTLESS = ("--rootless", "--port", str(_PORT))
_AS_ROOTLESS = (
    *("systemd-run", "--unit=echo", "--uid=daemon", "pasta", "--foreground", "--config-net"),
    *("-t", str(_PORT), "-u", str(_PORT), "--", "python3", "/srv/echo.py"),
)
_ECHO = f"""\
import socket, threading
tcp = socket.create_server(("", {_PORT}))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("", {_PORT}))
def answer():
    while True:
        udp.sendto(*udp.recvfrom(9))
threading.Thread(target=answer).start()
while True:
    connection, _ = tcp.accept()
    connection.sendall(connection.recv(9))
"""
_ASK = f"""\
import socket, sys
asked = socket.socket(type=getattr(socket, sys.argv[2]))
asked.settimeout(3)
asked.connect((sys.argv[1], {_PORT}))
asked.send(b"hello")
assert asked.recv(9) == b"hello"
"""
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
        installation.server.run(["ln", "-s", PROGRAM, _READINESS])
        installation.setup()
        assert installation.serves() == []
        installation.keep(_INSTALLED)
        yield installation


@pytest.mark.parametrize("firewall", _FIREWALLS)
def test_readiness_reports_a_closed_firewall(host: MachineInstallation, firewall: str) -> None:
    host.go_back(_INSTALLED)
    host.server.run(["sh", "-ec", _FIREWALLS[firewall]])
    complaints = agree(host, _with_root)
    fix(host)
    complaints += agree(host, _with_root, is_open=True)
    record.add(host.bed, f"Closed {firewall}, gateway with root: readiness and devices agree", complaints)
    assert complaints == []


@pytest.mark.parametrize("firewall", _FIREWALLS)
def test_rootless_port_is_opened_by_fix_and_closed_by_uninstall(
    host: MachineInstallation, firewall: str
) -> None:
    host.go_back(_INSTALLED)
    host.server.run(["sh", "-ec", _FIREWALLS[firewall]])
    host.server.write("/srv/echo.py", _ECHO)
    host.server.run(_AS_ROOTLESS)
    assert eventually(lambda: ":8443 " in host.server.run(["ss", "-tln"]).stdout), "pasta does not listen"
    complaints = agree(host, _without_root, is_open=False)
    fix(host, *_ROOTLESS)
    # Rules of nftables depend on an order that only their author knows: nothing adds one.
    complaints += agree(host, _without_root, is_open=firewall != "nftables")
    host.uninstall()
    complaints += agree(host, _without_root, is_open=False)
    what = f"Closed {firewall}, port without root: opened by `--fix`, closed by the uninstallation"
    record.add(host.bed, what, complaints)
    assert complaints == []


def agree(
    host: MachineInstallation, reached: Callable[[MachineInstallation], Ports], *, is_open: bool | None = None
) -> list[str]:
    """Where readiness and devices do not agree, or not on `is_open`."""
    more = _ROOTLESS if reached is _without_root else ()
    report = host.program(_READINESS, "host", *more, "--output", "json", check=False).envelope
    results = {check["id"]: check["result"] for check in report["data"]["findings"]}
    said = {name: results[f"firewall-{name}"] for name in ("tcp", "udp")}
    seen = reached(host)
    fine = said == {name: "pass" if came else "warning" for name, came in seen.items()}
    fine = fine and is_open in (None, *seen.values())
    return [] if fine else [f"readiness says {said}, devices reach {seen}, expected is {is_open}"]


def fix(host: MachineInstallation, *arguments: str) -> None:
    """Have readiness fix what it can."""
    host.program(_READINESS, "host", *arguments, "--fix", "--unattended", check=False)


def _with_root(host: MachineInstallation) -> Ports:
    """Whether a device comes to the gateway by both protocols."""
    if not host.answers_tls():
        return {"tcp": False, "udp": False}
    host.connect()
    udp = eventually(lambda: "Established DTLS" in host.testbed.client.read(vpn.LOG), 20)
    host.disconnect()
    return {"tcp": True, "udp": udp}


def _without_root(host: MachineInstallation) -> Ports:
    """Whether a device comes to the port that pasta publishes, by both protocols."""
    return {
        name: host.testbed.client.run(["python", "-c", _ASK, PUBLIC_ADDRESS, kind], check=False).code == 0
        for name, kind in (("tcp", "SOCK_STREAM"), ("udp", "SOCK_DGRAM"))
    }
