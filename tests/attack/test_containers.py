"""Agent or gateway that was taken over, on a bridge that they share with a container of others."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mstunnel_setup.actions import firewall
from mstunnel_setup.base import paths
from mstunnel_setup.containers.container_spec import HARDWARE_ADDRESSES
from tests.attack.record import record
from tests.namespaces import Namespaces

SERVICE, PROXY = 8022, 3128
# The bridge, another network of the host, a local route (AnyIP), and IPv6.
OF_THE_HOST = ("10.88.0.1", "10.2.0.1", "203.0.113.7", "fd00:88::1", "fd00:2::1")
# For datagrams alone: broadcasts, and the anycast address of the routers of a network in IPv6.
TO_MANY = ("10.2.0.255", "10.88.0.255", "fd00:2::")
METADATA = ("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fd00:c1::a9fe:a9fe")
INTERNAL = ("10.2.0.2", "fd00:2::2")
REACHED = "reached"

_TOPOLOGY = f"""
set -e
mount -t tmpfs none /run
for name in host agent server other internal; do ip netns add $name; ip -n $name link set lo up; done
ip -n host link add podman0 type bridge
ip -n host link set podman0 up
ip -n host address add 10.88.0.1/24 dev podman0
ip -n host address add fd00:88::1/64 dev podman0 nodad
attach() {{
    ip link add eth0 netns $1 address $2 type veth peer name $1 netns host
    ip -n host link set $1 master podman0 up
    ip -n $1 link set eth0 up
    ip -n $1 address add 10.88.0.$3/24 dev eth0
    ip -n $1 address add fd00:88::$3/64 dev eth0 nodad
    ip -n $1 route add default via 10.88.0.1
    ip -n $1 route add default via fd00:88::1
}}
attach agent {HARDWARE_ADDRESSES[paths.AGENT]} 2
attach server {HARDWARE_ADDRESSES[paths.SERVER]} 3
attach other 02:00:00:00:00:09 9
ip link add eth1 netns host type veth peer name eth0 netns internal
ip netns exec host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n host link set eth1 up
ip -n host address add 10.2.0.1/24 dev eth1
ip -n host address add fd00:2::1/64 dev eth1 nodad
ip -n host route add local 203.0.113.0/24 dev lo
ip -n internal link set eth0 up
ip -n internal address add 10.2.0.2/24 dev eth0
ip -n internal address add fd00:2::2/64 dev eth0 nodad
ip -n internal route add default via 10.2.0.1
ip -n internal route add default via fd00:2::1
for address in {" ".join(METADATA)}; do
    ip -n internal address add $address dev lo
    case $address in *:*) via=fd00:2::2 ;; *) via=10.2.0.2 ;; esac
    ip -n host route add $address via $via
done
echo up
exec cat
"""
# Keeps what it gets.
_DATAGRAMS = """
import socket, sys
served = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
served.bind(("::", int(sys.argv[1])))
print("up", flush=True)
while True:
    received = served.recv(99)
    with open("/run/datagrams", "ab") as log:
        log.write(received + b"\\n")
"""
_SEND = """
import socket, sys
for target in sys.argv[2:]:
    with socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(target.encode(), (target, int(sys.argv[1])))
"""


class Network(Namespaces):
    """A host with agent, gateway and another container on its bridge, and the internal network behind it."""

    def __init__(self, opened: ExitStack) -> None:
        super().__init__(_TOPOLOGY, opened)
        for name in ("host", "agent", "server", "internal"):
            self.serve(name, 53, PROXY, SERVICE)
        self.start("host", "python3", "-c", _DATAGRAMS, str(SERVICE))

    def get(self, source: str, target: str, port: int = SERVICE) -> str:
        return self.connect(source, target, port, timeout=0.5)

    def received(self, source: str) -> set[str]:
        """Which of `TO_MANY` a datagram of `source` reached."""
        self.run("host", "rm", "-f", "/run/datagrams")
        self.run(source, "python3", "-c", _SEND, str(SERVICE), *TO_MANY)
        return {*self.run("host", "sh", "-c", "sleep 0.3; cat /run/datagrams || true").split()}


@pytest.fixture(scope="module")
def bare() -> Iterator[Network]:
    with ExitStack() as opened:
        yield Network(opened)


@pytest.fixture(scope="module")
def guarded(bare: Network) -> Network:
    """The host as the installation leaves it, where the proxy is a service of its own."""
    for name in ("agent", "other"):
        assert {bare.get(name, target) for target in (*OF_THE_HOST, *METADATA)} == {REACHED}
        assert bare.received(name) == {*TO_MANY}
    bare.run("host", "nft", "--file", "-", stdin=firewall.container_rules("", (PROXY,)))
    return bare


@pytest.mark.parametrize("container", ["agent", "server"])
def test_a_container_reaches_no_service_of_the_host(guarded: Network, container: str) -> None:
    attacker = "agent" if container == "agent" else "gateway"
    for target in OF_THE_HOST:
        found = guarded.get(container, target)
        record(attacker, f"connect to a service of the host at {target}", found)
        assert found == "timed out", target
    assert guarded.received(container) == set()
    record(attacker, f"send to the host by {', '.join(TO_MANY)}", "dropped")


@pytest.mark.parametrize("container", ["agent", "server"])
def test_a_container_reaches_no_metadata_service(guarded: Network, container: str) -> None:
    attacker = "agent" if container == "agent" else "gateway"
    for target in METADATA:
        found = guarded.get(container, target)
        record(attacker, f"read the metadata of the cloud at {target}", found)
        assert found == "timed out", target


def test_an_address_that_the_host_gets_later_is_refused_at_once(guarded: Network) -> None:
    guarded.run("host", "ip", "address", "add", "10.2.0.77/24", "dev", "eth1")
    found = guarded.get("server", "10.2.0.77")
    record("gateway", "connect to a service of the host at an address that it got a moment ago", found)
    assert found == "timed out"


def test_what_agent_and_gateway_need_is_reached(guarded: Network) -> None:
    for container in ("agent", "server"):
        for target in (*INTERNAL, "10.88.0.3"):
            assert guarded.get(container, target) == REACHED, target
        # DNS, also of a cloud, and the proxy of this host.
        for target in (*OF_THE_HOST[:2], *METADATA):
            assert guarded.get(container, target, 53) == REACHED, target
        assert guarded.get(container, "10.88.0.1", PROXY) == REACHED
    assert guarded.get("host", "10.88.0.3") == REACHED
    assert guarded.get("internal", "10.88.0.3") == REACHED


def test_containers_of_others_reach_what_they_did(guarded: Network) -> None:
    assert {guarded.get("other", target) for target in (*OF_THE_HOST, *METADATA)} == {REACHED}
    assert guarded.received("other") == {*TO_MANY}
