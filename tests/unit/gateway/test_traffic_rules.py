"""The gateway's traffic rules, in a kernel: two devices, the host, and the networks behind it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from mstunnel_setup.gateway.configuration import OWN_NETWORKS, ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import DEAD_END_NETWORK, ocserv_conf
from mstunnel_setup.gateway.options import GatewayOptions
from tests.namespaces import Namespaces

RULES = Path(__file__).parents[3] / "images/gateway/traffic-rules"
DOCUMENT: Mapping[str, object] = {
    "network": "169.254.0.0/16",
    "ipv6Network": "fd00:9::/64",
    "dnsServers": ["10.99.0.53"],
}
INTRANET, NAME_SERVER, HOST, HOST_ELSEWHERE = "10.99.0.80", "10.99.0.53", "10.88.0.1", "10.90.0.10"
METADATA, GATEWAY, CONTAINER = "169.254.169.254", "169.254.0.1", "10.88.0.2"
# The addresses are given in IPv4, then in IPv6.
METADATA_SERVICES = (
    *(METADATA, "169.254.170.23", "169.254.42.42", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"),
    *("fd00:a9fe:a9fe::1", "fd00:100::100:200"),
)
# The metadata services of IPv4, the loopback and the host behind NAT64.
BEHIND_NAT64 = (
    *("64:ff9b::169.254.169.254", "64:ff9b::100.100.100.200", "64:ff9b::168.63.129.16"),
    *("64:ff9b::192.0.0.192", "64:ff9b::127.0.0.1", f"64:ff9b::{HOST_ELSEWHERE}"),
)
FIRST, SECOND = "169.254.1.1", "169.254.1.2"

# To the gateway `vpns0` and `vpns1` are what ocserv makes: one peer each, a route to it alone. `world` is the
# host and all that is behind it, `stranger` another machine of the network of the container.
_TOPOLOGY = f"""
set -e
mount -t tmpfs none /run
for name in gateway first second world stranger; do ip netns add $name; ip -n $name link set lo up; done
number=0
for device in first second; do
    address=169.254.1.$((number + 1)) address6=fd00:9::1$number
    ip link add vpns$number netns gateway type veth peer name tun0 netns $device
    # As a tunnel has it: no addresses of hardware, and nothing is asked for them.
    ip -n gateway link set vpns$number address 02:00:00:00:00:01 arp off
    ip -n $device link set tun0 address 02:00:00:00:00:01 arp off
    ip -n gateway address add {GATEWAY} peer $address dev vpns$number
    ip -n gateway address add fd00:9::1/128 dev vpns$number nodad
    ip -n gateway link set vpns$number up
    ip -n gateway route add $address6 dev vpns$number
    ip -n $device link set tun0 up
    ip -n $device address add $address/32 dev tun0
    ip -n $device address add $address6/128 dev tun0 nodad
    ip -n $device route add default via {GATEWAY} dev tun0 onlink
    ip -n $device route add default via fd00:9::1 dev tun0 onlink
    number=$((number + 1))
done
ip -n world link add bridge type bridge
ip -n world link set bridge up
for name in gateway stranger; do
    ip link add eth0 netns $name type veth peer name $name netns world
    ip -n world link set $name master bridge up
    ip -n $name link set eth0 up
done
ip -n gateway address add {CONTAINER}/24 dev eth0
ip -n gateway address add fd00:88::2/64 dev eth0 nodad
ip -n gateway route add default via {HOST}
ip -n gateway route add default via fd00:88::1
ip -n stranger address add 10.88.0.9/24 dev eth0
ip -n stranger route add default via {CONTAINER}
ip -n world address add {HOST}/24 dev bridge
ip -n world address add fd00:88::1/64 dev bridge nodad
for address in {INTRANET} {NAME_SERVER} {HOST_ELSEWHERE} fd00:99::80 {" ".join(METADATA_SERVICES)} \\
    {" ".join(BEHIND_NAT64)}; do
    ip -n world address add $address dev lo
done
ip netns exec gateway sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec gateway sysctl -qw net.ipv4.conf.all.rp_filter=0
echo up
exec cat
"""
# A machine: it answers every connection to the ports with the address that it came from, and connects where
# each line of its input says (target, port, source; separated by tabs).
_MACHINE = """
import socket, socketserver, sys, threading
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.client_address[0].encode())
class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address = socket.AF_INET6, True
for port in (80, 53):
    threading.Thread(target=Server(("::", port), Answer).serve_forever, daemon=True).start()
print("up", flush=True)
for line in sys.stdin:
    target, port, source = line.rstrip("\\n").split("\\t")
    try:
        with socket.create_connection((target, int(port)), 1, (source, 0)) as made:
            print(made.recv(99).decode().removeprefix("::ffff:"), flush=True)
    except OSError as error:
        print(error, flush=True)
"""


class Network(Namespaces):
    """The test network; `apply` loads the traffic rules for a configuration."""

    def __init__(self, directory: Path, open_processes: ExitStack) -> None:
        super().__init__(_TOPOLOGY, open_processes)
        self._directory = directory
        self._machines = {
            name: self.start(name, "python3", "-c", _MACHINE)
            for name in ("world", "gateway", "first", "second", "stranger")
        }

    def apply(
        self,
        document: Mapping[str, object],
        *addresses: str,
        client_to_client: str = "",
        balancers: str | None = None,
    ) -> None:
        """Load the rules; without balancers devices connect to the gateway directly."""
        options = GatewayOptions(balancers=() if balancers is None else ("192.0.2.10",))
        rules = printed(
            self._directory,
            ocserv_conf(ServerConfiguration.from_wire(document), options),
            *addresses,
            client_to_client=client_to_client,
            balancers=balancers or "",
        )
        self.run("gateway", "nft", "--file", "-", stdin=rules)

    def get(self, machine: str, target: str, port: int = 80, source: str = "") -> str:
        """Return the source address that `target` saw, or the error of the connection."""
        process = self._machines[machine]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{target}\t{port}\t{source}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()


def printed(
    directory: Path, configuration: str, *addresses: str, client_to_client: str = "", balancers: str = ""
) -> str:
    """Return the rules for this `ocserv.conf`. Raises CalledProcessError if the script fails."""
    (directory / "ocserv.conf").write_text(configuration)
    environment = {
        "PATH": os.environ["PATH"],
        "CLIENT_TO_CLIENT": client_to_client,
        "BALANCERS": balancers,
    }
    command = [str(RULES), str(directory / "ocserv.conf"), *addresses]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with ExitStack() as open_processes:
        yield Network(tmp_path_factory.mktemp("traffic"), open_processes)


@pytest.fixture(scope="module")
def guarded(network: Network) -> Network:
    """Return the network with the default rules."""
    network.apply(DOCUMENT, HOST, HOST_ELSEWHERE)
    return network


@pytest.mark.parametrize(("target", "seen"), [(INTRANET, CONTAINER), ("fd00:99::80", "fd00:88::2")])
def test_device_traffic_has_the_address_of_the_gateway(guarded: Network, target: str, seen: str) -> None:
    assert guarded.get("first", target) == seen
    assert guarded.get("second", target) == seen


@pytest.mark.parametrize("target", [*METADATA_SERVICES, *BEHIND_NAT64])
def test_the_metadata_services_are_there(guarded: Network, target: str) -> None:
    """This shows that the servers run, which gives the tests of blocked traffic their meaning."""
    assert guarded.get("gateway", target) == (
        CONTAINER if "." in target and ":" not in target else "fd00:88::2"
    )


def test_included_routes_do_not_limit_a_device(network: Network) -> None:
    """Routes only tell a device what to send; it may send more (docs/explanation/security.md)."""
    network.apply({**DOCUMENT, "routesInclude": ["10.50.0.0/16"]}, HOST, HOST_ELSEWHERE)
    assert network.get("first", INTRANET) == CONTAINER


@pytest.mark.parametrize("port", [80, 53])
@pytest.mark.parametrize(
    "target",
    [
        *(SECOND, "fd00:9::11"),
        *(GATEWAY, CONTAINER, "fd00:9::1", "fd00:88::2"),
        *(HOST, HOST_ELSEWHERE),
        *METADATA_SERVICES,
        *BEHIND_NAT64,
        # No device has these addresses of the pool.
        *("169.254.77.7", "fd00:9::77"),
    ],
)
def test_a_device_does_not_reach(guarded: Network, target: str, port: int) -> None:
    assert "refused" in guarded.get("first", target, port)


def test_a_name_server_is_reached_for_names_alone_wherever_it_is(network: Network) -> None:
    servers = [HOST, METADATA, GATEWAY, NAME_SERVER]
    network.apply({**DOCUMENT, "dnsServers": servers}, HOST, NAME_SERVER)
    assert [network.get("first", server, 53) for server in servers] == [
        CONTAINER,
        CONTAINER,
        FIRST,
        CONTAINER,
    ]
    for server in servers:
        assert "refused" in network.get("first", server)


def test_devices_reach_each_other_when_that_is_asked_for(network: Network) -> None:
    network.apply(DOCUMENT, HOST, client_to_client="true")
    assert network.get("first", SECOND) == FIRST
    assert network.get("first", "fd00:9::11") == "fd00:9::10"
    assert "refused" in network.get("first", HOST)
    assert "refused" in network.get("first", GATEWAY)


@pytest.mark.parametrize("client_to_client", ["", "false", "TRUE", "1", "true; accept"])
def test_nothing_else_than_true_asks_for_it(network: Network, client_to_client: str) -> None:
    network.apply(DOCUMENT, client_to_client=client_to_client)
    assert "refused" in network.get("first", SECOND)


@pytest.mark.parametrize(
    "source",
    [SECOND, GATEWAY, CONTAINER, HOST, METADATA, "169.254.9.9", "192.0.2.1", "fd00:9::11", "fd00:9::1"],
)
def test_a_tunnel_carries_its_own_address_alone(guarded: Network, source: str) -> None:
    """Counters show that packets from any other address do not even reach the first rule."""
    family, target = ("ip6", "fd00:99::80") if ":" in source else ("ip", INTRANET)
    counted = "add table inet probe; add chain inet probe seen { type filter hook prerouting priority 0; };"
    guarded.run(
        "gateway", "nft", f"{counted} add rule inet probe seen iifname vpns0 {family} saddr {source} counter"
    )
    guarded.run("first", "ip", "address", "add", source, "dev", "lo", *(["nodad"] if family == "ip6" else []))
    try:
        assert guarded.get("first", target, source=source) == "timed out"
        rules = json.loads(guarded.run("gateway", "nft", "--json", "list", "chain", "inet", "probe", "seen"))
        (counter,) = [
            part["counter"]
            for item in rules["nftables"]
            if "rule" in item
            for part in item["rule"]["expr"]
            if "counter" in part
        ]
        assert counter["packets"] == 0
    finally:
        guarded.run("first", "ip", "address", "delete", source, "dev", "lo")
        guarded.run("gateway", "nft", "delete", "table", "inet", "probe")


@pytest.mark.parametrize("target", [INTRANET, FIRST, HOST_ELSEWHERE])
def test_the_gateway_is_no_router_for_strangers(guarded: Network, target: str) -> None:
    assert guarded.get("stranger", target) == "timed out"


def test_ipv6_of_a_full_tunnel_is_rejected_by_the_gateway(network: Network) -> None:
    document: dict[str, object] = {"network": "169.254.0.0/16"}
    assert f"ipv6-network = {DEAD_END_NETWORK}\n" in ocserv_conf(ServerConfiguration.from_wire(document))
    network.apply(document)
    assert "refused" in network.get("first", "fd00:99::80")
    assert network.get("first", INTRANET) == CONTAINER


def test_what_gateways_use_of_ipv6_for_themselves_is_refused(network: Network) -> None:
    network.apply({"network": "169.254.0.0/16", "ipv6Network": "fd00:9::/64"})
    rules = network.run("gateway", "nft", "list", "set", "inet", "mstunnel", "host6")
    assert f"{OWN_NETWORKS}" in rules


@pytest.mark.parametrize(
    "document",
    [
        {"network": "169.254.0.0/16"},
        {"network": "10.0.0.0/8", "dnsServers": ["10.0.0.1", "10.0.0.1", "fd00::53"]},
        {"network": "192.168.77.4/30", "ipv6Network": "2001:db8::/126"},
        {"network": "168.63.129.0/24", "dnsServers": ["168.63.129.16", "169.254.169.253"]},
    ],
)
@pytest.mark.parametrize(
    "addresses",
    [
        (),
        ("10.88.0.1", "10.88.0.1", "10.88.0.0/16", "127.0.0.1", "169.254.1.2"),
        ("fd00::1", "fd00::/8", "fe80::1", "::1"),
        ("fe80::1%eth0", "$(id)", "}; flush ruleset; {", "", "*", "/etc/*", "localhost"),
    ],
)
def test_the_kernel_takes_the_rules(
    network: Network, tmp_path: Path, document: dict[str, object], addresses: tuple[str, ...]
) -> None:
    rules = printed(tmp_path, ocserv_conf(ServerConfiguration.from_wire(document)), *addresses)
    assert "id" not in rules.split()
    assert "flush" not in rules
    network.run("gateway", "nft", "--check", "--file", "-", stdin=rules)


@pytest.mark.parametrize(
    "line",
    [
        "ipv4-network = 10.0.0.0; flush ruleset",
        'device = "x* accept\\"',
        "device = $(touch /tmp/owned)",
        "ipv4-netmask = 0.0.0.0 == 0.0.0.0 accept",
        "ipv6-network = ::/0 accept",
        "ipv4-network = 10.1.0.0\nipv4-network = 10.2.0.0",
    ],
)
def test_setting_with_injected_text_gives_no_rules(tmp_path: Path, line: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        printed(tmp_path, f"{line}\n")
    assert caught.value.stdout == ""
    assert "not a valid value" in caught.value.stderr


STRANGER = "10.88.0.9"


@pytest.mark.parametrize(
    ("balancers", "reached"),
    [
        (None, {"world", "stranger", "gateway"}),
        (HOST, {"world", "gateway"}),
        (f"{STRANGER}\n2001:db8::/64\n", {"stranger", "gateway"}),
        ("10.88.0.0/24", {"world", "stranger", "gateway"}),
        ("", {"gateway"}),
        ("0.0.0.0/0; accept", {"gateway"}),
    ],
)
def test_who_may_claim_to_bring_a_device_is_named(
    network: Network, balancers: str | None, reached: set[str]
) -> None:
    network.apply({**DOCUMENT, "listenPort": 80}, balancers=balancers)
    found = {name: network.get(name, CONTAINER) for name in ("world", "stranger")}
    found["gateway"] = network.get("gateway", "127.0.0.1")
    assert {name for name, seen in found.items() if "refused" not in seen} == reached


def test_a_balancer_in_ipv6_and_every_other_port(network: Network) -> None:
    network.apply({**DOCUMENT, "listenPort": 80}, balancers="fd00:88::1")
    assert network.get("world", "fd00:88::2") == "fd00:88::1"
    assert "refused" in network.get("stranger", CONTAINER)
    assert network.get("stranger", CONTAINER, 53) == STRANGER
    assert "refused" in network.get("first", GATEWAY)
