"""A really installed gateway, two real clients, and what lies around them."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tests.testbed import vpn
from tests.testbed.installation import Installation
from tests.testbed.kinds import PODMAN, Kind
from tests.testbed.machine import Machine

METADATA = "169.254.169.254"
REACHED = "reached"
# Prints what a server says, with what the image has; ends when the server does, or after three seconds.
CALL = ("timeout", "3", "curl", "--silent", "--noproxy", "*")
# Answers every TCP connection, and keeps every datagram in /run/datagrams.
_SERVER = """
import select, socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.bind(("::", int(sys.argv[1])))
open("/run/serving", "w").close()
while True:
    for ready in select.select([listener, datagrams], [], [])[0]:
        if ready is listener:
            made, _ = listener.accept()
            made.sendall(b"reached")
            made.close()
        else:
            with open("/run/datagrams", "ab") as log:
                log.write(datagrams.recv(999) + b"\\n")
"""
_CONNECT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as made:
        print(made.recv(99).decode())
except OSError as error:
    print(type(error).__name__, error)
"""
_SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sender:
    if sys.argv[4]:
        sender.bind((sys.argv[4], 0))
    try:
        sender.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        print(type(error).__name__, error)
"""


class TwoDevices:
    """Two connected devices of a gateway. `addresses` are those in the tunnel, by name of the machine."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.testbed = installation.testbed
        self.server = installation.server
        self.first = self.testbed.client
        self.second = self.testbed.start_client("client2", 21)

    def connect(self) -> None:
        """Connect both devices again."""
        for device in (self.first, self.second):
            vpn.disconnect(device)
            self.installation.connect(device=device)

    def address(self, device: Machine) -> str:
        """IPv4 address of a device in the tunnel."""
        return vpn.address(device)

    def engine(self, *arguments: str) -> str:
        """What a command of the server's container engine prints."""
        return self.server.run(self.testbed.kind.engine_command(*arguments), timeout=120).stdout.strip()

    def inside(self, *command: str) -> str:
        """What a command prints in the gateway's container."""
        return self.engine("exec", "mstunnel-server", *command)

    def from_gateway(self, target: str, port: int) -> str:
        """What a serving machine says to the gateway's container."""
        return self.inside(*CALL, f"telnet://{target}:{port}")


def serve(machine: Machine, port: int) -> None:
    """Have a machine answer TCP and take datagrams at a port of all its addresses."""
    machine.shell("rm -f /run/serving /run/datagrams")
    machine.start(["python3", "-c", _SERVER, str(port)])
    machine.shell("until [ -e /run/serving ]; do sleep 0.05; done", timeout=15)


def reach(machine: Machine, target: str, port: int) -> str:
    """`reached`, or why a machine got no answer."""
    return machine.run(["python3", "-c", _CONNECT, target, str(port)]).stdout.strip()


def through_tunnel(device: Machine, target: str, port: int) -> str:
    """As `reach`, of an attacker who sends into the tunnel what the gateway pushed no route for."""
    device.run(["ip", "route", "replace", target, "dev", "tun0"])
    return reach(device, target, port)


def send(machine: Machine, target: str, port: int, text: str, source: str = "") -> str:
    """Send a datagram; empty, or why it did not leave."""
    return machine.run(["python3", "-c", _SEND, target, str(port), text, source]).stdout.strip()


def datagrams(machine: Machine) -> list[str]:
    """What a serving machine has got."""
    return machine.shell("sleep 0.3; cat /run/datagrams 2>/dev/null || true").stdout.split()


# Connects from the network of the process whose number it gets.
_FROM = "nsenter --net=/proc/{process}/ns/net python3 -c {script} {target} {port}"


def from_container(devices: TwoDevices, container: str, target: str, port: int) -> str:
    """As `reach`, from the network of a container, with what its image may lack."""
    process = devices.engine("inspect", "--format={{.State.Pid}}", container)
    words = {"process": process, "script": shlex.quote(_CONNECT), "target": target, "port": port}
    return devices.server.shell(_FROM.format(**words)).stdout.strip()


@contextmanager
def two_devices(kind: Kind = PODMAN, *, split: bool = True) -> Iterator[TwoDevices]:
    """Install a gateway and connect two devices to it, by a split or a full tunnel."""
    with Installation.booted(kind) as installation:
        if not split:
            installation.change_configuration({"routeIncludes": []})
        installation.setup()
        devices = TwoDevices(installation)
        devices.connect()
        yield devices
