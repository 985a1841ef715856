"""What the account of a rootless gateway, or anybody, can have root do at the socket for the uplink."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mstunnel_setup.containers import uplink_address
from tests.attack.record import record
from tests.attack.test_local_user import ATTACKER, outcome_of
from tests.places import for_other_users
from tests.unit.io import test_namespaces as made
from tests.unit.operations.test_uplink import PORT, Host, as_container, host

__all__ = ["host"]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users"),
    pytest.mark.timeout(120),
]


def as_account(descriptor: int) -> str:
    """What root answers to the account that sends this descriptor."""
    reading, writing = os.pipe()

    def run() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(uplink_address.socket_of(PORT))
            socket.send_fds(connection, [b"x"], [descriptor])
            os.write(writing, connection.recv(1000))

    assert outcome_of(run) == ""
    os.close(writing)
    with os.fdopen(reading) as stream:
        return stream.read()


_FOREIGN = {
    "the host": lambda: os.open("/proc/self/ns/net", os.O_RDONLY),
    "a container of root": made.of_root,
    "a container of another account": lambda: made.network_of(made.OTHER),
    "a user namespace within that of the account": made.nested,
}
_OTHER_KINDS = {
    "the name of a host": made.other_kind,
    "a user namespace": made.users,
    "a socket": lambda: socket.socket(socket.AF_UNIX).detach(),
    "a file without a name": lambda: os.memfd_create("net:[4026531840]"),
    "a device": lambda: os.open("/dev/null", os.O_RDWR),
    "a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
}


@pytest.mark.parametrize("what", [*_FOREIGN, *_OTHER_KINDS])
def test_root_refuses_network_namespaces_of_others(host: Host, what: str) -> None:
    make: Callable[[], int] = {**_FOREIGN, **_OTHER_KINDS}[what]
    with made.descriptor_of(make) as descriptor:
        assert as_account(descriptor).startswith("refused: ")
    assert host.addresses() == []
    assert "default via" in as_container(made.ACCOUNT)
    kind = "the network of " if what in _FOREIGN else "a descriptor of "
    record(ATTACKER, f"have root connect {kind}{what}", "refused; no device is made")


def test_others_do_not_reach_the_socket(host: Host) -> None:
    def connect() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(uplink_address.socket_of(PORT))

    os.chown(uplink_address.socket_of(PORT), made.OTHER, made.OTHER)
    os.chmod(uplink_address.socket_of(PORT), 0o600)  # noqa: PTH101
    assert outcome_of(connect) == "PermissionError"
    assert host.addresses() == []
    record(ATTACKER, "ask for an uplink as another account", "PermissionError")


@pytest.fixture
def silent(host: Host) -> Iterator[list[socket.socket]]:
    """Connections on which nothing is ever sent."""
    connections = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for connection in connections:
        connection.connect(uplink_address.socket_of(PORT))
    yield connections
    for connection in connections:
        connection.close()


def test_a_flood_of_descriptors_leaves_nothing_open(host: Host) -> None:
    def send(_number: int) -> str:
        with made.descriptor_of(lambda: os.open("/etc/passwd", os.O_RDONLY)) as descriptor:
            return as_account(descriptor)

    opened = Path(f"/proc/{host.process.pid}/fd")
    send(0)
    before = len(list(opened.iterdir()))
    assert {send(number).partition(":")[0] for number in range(30)} == {"refused"}
    assert "default via" in as_container(made.ACCOUNT)
    # What it inherited from earlier tests may be closed meanwhile.
    assert len(list(opened.iterdir())) <= before
    record(ATTACKER, "flood root with descriptors", "each is refused and closed, one a second")


@pytest.mark.usefixtures("silent")
def test_connections_that_say_nothing_hold_nobody_up_for_long() -> None:
    assert "default via" in as_container(made.ACCOUNT)
    record(ATTACKER, "open connections for an uplink and send nothing", "each is dropped after 2 s")


_FAR = "198.51.100.9"
_SERVER = """
import socket
served = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
served.bind(("0.0.0.0", 7))
print("up", flush=True)
while True:
    _data, sender = served.recvfrom(9)
    served.sendto(str(sender[1]).encode(), sender)
"""
_CLIENT = f"""
import socket, sys, time
for port in map(int, sys.argv[1:]):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("", port))
        client.settimeout(5)
        client.sendto(b"x", ("{_FAR}", 7))
        print(client.recv(9).decode())
"""


@pytest.fixture
def far(host: Host) -> Iterator[None]:
    """A server behind the host, which forwards to it."""
    command = ["unshare", "--net", sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        inside = ["nsenter", f"--net=/proc/{server.pid}/ns/net", "ip"]
        host.run("ip", "link", "add", "out", "type", "veth", "peer", "name", "far", "netns", str(server.pid))
        host.run("ip", "address", "add", "198.51.100.1/24", "dev", "out")
        host.run("ip", "link", "set", "out", "up")
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for words in (["address", "add", f"{_FAR}/24", "dev", "far"], ["link", "set", "far", "up"]):
            subprocess.run([*inside, *words], check=True)
        yield
        server.kill()


@for_other_users
@pytest.mark.usefixtures("far")
def test_the_account_sends_from_no_port_that_only_root_may_use() -> None:
    client = (sys.executable, "-c", _CLIENT)
    seen = as_container(made.ACCOUNT, command=(*client, "443", "1023", "5000")).split()
    assert seen[2:] == ["5000"], seen
    assert all(int(port) > 1023 for port in seen)
    record(ATTACKER, "send from a port of the host that only root may use", "from a port above 1023")


# Counts what arrives at a port of the host, until it is asked.
_SERVICE = """
import socket, sys
served = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
served.bind(("0.0.0.0", 7))
print("up", flush=True)
served.settimeout(0.5)
sys.stdin.readline()
try:
    while True:
        data, sender = served.recvfrom(99)
        print(data.decode())
except TimeoutError:
    pass
"""
_SENDER = """
import socket, sys
for target in sys.argv[1].split(","):
    for port in map(int, sys.argv[2:]):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.bind(("", port))
            try:
                client.sendto(f"{target}:{port}".encode(), (target, 7))
            except OSError as error:
                print(error)
"""
# The host's end, another address of it, the broadcasts, and one that a local route makes its own.
_OF_THE_HOST = (uplink_address.HOST_END, "198.51.100.1", "198.51.100.255", "255.255.255.255", "203.0.113.7")


@for_other_users
@pytest.mark.usefixtures("far")
def test_uplink_gives_the_account_no_service_of_the_host(host: Host) -> None:
    host.run("ip", "link", "set", "lo", "up")
    host.run("ip", "route", "add", "local", "203.0.113.0/24", "dev", "lo")
    inside = ["nsenter", f"--net=/proc/{host.process.pid}/ns/net", sys.executable, "-c", _SERVICE]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "up\n"
        targets = ",".join(_OF_THE_HOST)
        ports = ("111", "700", str(PORT), "5000")
        as_container(made.ACCOUNT, command=(sys.executable, "-c", _SENDER, targets, *ports))
        arrived, _ = service.communicate("\n", timeout=20)
    assert arrived.split() == []
    record(
        ATTACKER, "send to the host's own services through the uplink from ports 111, 700 and 5000", "dropped"
    )


@for_other_users
@pytest.mark.usefixtures("far")
def test_answers_and_names_pass_the_uplink(host: Host) -> None:
    """Else nothing of the test above would prove anything."""
    served = _SERVER.replace('("0.0.0.0", 7)', '("0.0.0.0", 53)')
    inside = ["nsenter", f"--net=/proc/{host.process.pid}/ns/net", sys.executable, "-c", served]
    with subprocess.Popen(inside, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "up\n"
        asks = _CLIENT.replace(f'("{_FAR}", 7)', f'("{uplink_address.HOST_END}", 53)')
        seen = as_container(made.ACCOUNT, command=(sys.executable, "-c", asks, "5000")).split()
        assert seen == ["5000"]
        assert as_container(made.ACCOUNT, command=(sys.executable, "-c", _CLIENT, "5001")).split() == ["5001"]
        service.kill()
