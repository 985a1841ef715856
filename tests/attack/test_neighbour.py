"""A machine on the network of the host, which takes the host for its router."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mstunnel_setup.actions import firewall
from mstunnel_setup.install.steps import kernel
from tests.attack.record import record
from tests.namespaces import Namespaces
from tests.unit.install.conftest import machine, scene
from tests.unit.install.machines import Machine
from tests.unit.install.test_host_steps import with_ipv6

__all__ = ["machine", "scene"]

ATTACKER = "network"
HOST, NEIGHBOUR, INTERNAL, GATEWAY = "10.1.0.1", "10.1.0.2", "10.2.0.2", "10.88.0.2"
HOST_6, INTERNAL_6, GATEWAY_6 = "fd00:1::1", "fd00:2::2", "fd00:88::2"
TIMEOUT = "timed out"

_TOPOLOGY = f"""
set -e
mount -t tmpfs none /run
for name in host neighbour internal gateway; do ip netns add $name; ip -n $name link set lo up; done
link() {{
    ip link add $1 netns host type veth peer name eth0 netns $2
    ip -n host link set $1 up
    ip -n $2 link set eth0 up
}}
link eth0 neighbour
link eth1 internal
link veth0 gateway
ip -n host link add podman0 type bridge
ip -n host link set podman0 up
ip -n host link set veth0 master podman0
for name in neighbour internal gateway; do
    case $name in
    neighbour) net=1 device=eth0 ;;
    internal) net=2 device=eth1 ;;
    gateway) net=88 device=podman0 ;;
    esac
    ip -n host address add 10.$net.0.1/24 dev $device
    ip -n host address add fd00:$net::1/64 dev $device nodad
    ip -n $name address add 10.$net.0.2/24 dev eth0
    ip -n $name address add fd00:$net::2/64 dev eth0 nodad
    ip -n $name route add default via 10.$net.0.1
    ip -n $name route add default via fd00:$net::1
done
# What a container engine does for the port that it publishes.
ip netns exec host nft -f - <<RULES
table inet engine {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        fib daddr type local tcp dport 443 dnat ip to {GATEWAY}
        fib daddr type local tcp dport 443 dnat ip6 to {GATEWAY_6}
    }}
}}
RULES
echo up
exec cat
"""


class Network(Namespaces):
    """The host between a neighbour, the internal network and the bridge of Podman, with the gateway on it."""

    def __init__(self, opened: ExitStack) -> None:
        super().__init__(_TOPOLOGY, opened)
        for name in ("internal", "gateway"):
            self.serve(name, 443)

    def get(self, source: str, target: str) -> str:
        return self.connect(source, target, 443)

    def switch(self, value: int) -> None:
        """Have the host forward, or not, without any rule of ours."""
        self.run(
            "host", "sysctl", "-qw", f"net.ipv4.ip_forward={value}", f"net.ipv6.conf.all.forwarding={value}"
        )
        if firewall.TABLE in self.run("host", "nft", "list", "tables"):
            self.run("host", "nft", "delete", "table", "inet", firewall.TABLE)

    def install(self, machine: Machine) -> None:
        """Have the host as the step leaves it: with the rules that it wrote, then its settings."""
        if text := machine.text(firewall.RULES):
            self.run("host", "nft", "--file", "-", stdin=text)
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            value = machine.text(f"/proc/sys/net/{name}").strip()
            self.run("host", "sysctl", "-qw", f"net.{name.replace('/', '.')}={value or 0}")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with ExitStack() as opened:
        yield Network(opened)


def test_host_forwards_nothing_for_a_neighbour(network: Network, machine: Machine) -> None:
    with_ipv6(machine, "eth0")
    network.switch(0)
    assert network.get("neighbour", INTERNAL) == TIMEOUT

    machine.run(kernel.STEP)
    network.install(machine)
    for target in (INTERNAL, INTERNAL_6, GATEWAY, GATEWAY_6):
        found = network.get("neighbour", target)
        record(ATTACKER, f"take the host for a router to {target}", found)
        assert found == TIMEOUT, target
    # The port of the gateway is reached, the gateway reaches the networks behind, and those cannot begin.
    assert {network.get("neighbour", target) for target in (HOST, HOST_6)} == {"reached"}
    assert {network.get("gateway", target) for target in (INTERNAL, INTERNAL_6)} == {"reached"}
    assert network.get("internal", GATEWAY) == TIMEOUT


def test_a_host_that_was_a_router_before_stays_one(network: Network, machine: Machine) -> None:
    machine.host.set_sysctl("net.ipv4.ip_forward", "1")
    network.switch(1)
    machine.run(kernel.STEP)
    network.install(machine)
    assert machine.text(firewall.RULES) == ""
    assert network.get("neighbour", INTERNAL) == "reached"


def test_forwarding_of_the_host_before_us_is_not_limited(network: Network, machine: Machine) -> None:
    """A router for IPv4 that gets IPv6 for its gateway."""
    with_ipv6(machine, "eth0")
    machine.host.set_sysctl("net.ipv4.ip_forward", "1")
    network.switch(0)
    machine.run(kernel.STEP)
    network.install(machine)
    assert network.get("neighbour", INTERNAL) == "reached"
    assert network.get("neighbour", INTERNAL_6) == TIMEOUT
