"""The uplink with real devices, addresses and rules, in separate network namespaces."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from mstunnel_setup.actions import uplink as names
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.namespaces import Offer
from mstunnel_setup.io.process import Processes
from mstunnel_setup.operations import uplink_connection
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.io.test_namespaces import ACCOUNT, OTHER, is_root_inside, network_of, unshare

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network devices"),
    pytest.mark.timeout(120),
]

_NETWORK = 0x40000000
PORT = 8443


class Host:
    """Root's side of the uplink for `nobody`, in a network namespace in place of the host's."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        place.chmod(0o755)
        monkeypatch.setattr(uplink_address, "SOCKETS", str(place))
        monkeypatch.setattr(names, "RULES", f"{place}/rules.nft")
        Path(names.RULES).write_text(names.rules(PORT))
        monkeypatch.setattr(uplink_connection, "_PAUSE", 0.0)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(uplink_address.socket_of(PORT))
        os.chown(uplink_address.socket_of(PORT), ACCOUNT, ACCOUNT)
        self.listener.listen()
        self.process = get_context("fork").Process(target=self._serve)
        self.process.start()

    def _serve(self) -> None:
        unshare(_NETWORK)
        os.dup2(self.listener.fileno(), 3)
        uplink_connection.serve("nobody", Processes(), Clock())

    def run(self, *command: str) -> str:
        """Run a command in the host's network namespace and return its output."""
        inside = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", *command]
        return subprocess.run(inside, capture_output=True, text=True, check=False).stdout

    def addresses(self) -> list[str]:
        """Return the IPv4 addresses of the host's end; empty without a pair."""
        found = json.loads(self.run("ip", "-json", "address", "show", "dev", names.DEVICE) or "[]")
        return [address["local"] for device in found for address in device["addr_info"]]

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.listener.close()


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    place = Path("/run") / f"uplink-{os.getpid()}-{time.monotonic_ns()}"
    place.mkdir()
    made = Host(place, monkeypatch)
    yield made
    made.close()
    shutil.rmtree(place)


ROUTES = ("ip", "-oneline", "route")


def as_container(uid: int, then: Callable[[], None] = lambda: None, command: Sequence[str] = ROUTES) -> str:
    """Run the account's side in a container's network; return the output, or the error and devices."""
    reading, writing = os.pipe()

    def run() -> None:
        os.close(network_of(uid))
        # Like a container runtime, the process is root in its user namespace, so it may configure the
        # network.
        is_root_inside(uid)
        try:
            then()
            uplink_connection.attach(PORT, Processes())
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            os.write(writing, said.stdout.encode())
        except SetupError as error:
            left = subprocess.run(["ip", "-oneline", "link"], capture_output=True, text=True, check=False)
            os.write(writing, f"{error.message!s}\n{left.stdout}".encode())

    process = get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    os.close(writing)
    with os.fdopen(reading) as stream:
        return stream.read()


def test_container_gets_a_device_address_and_route(host: Host) -> None:
    assert f"default via {uplink_address.HOST_END} dev eth0" in as_container(ACCOUNT)


def test_port_is_published_by_destination_only(host: Host) -> None:
    as_container(ACCOUNT)
    rules = host.run("nft", "list", "table", "inet", names.TABLE)
    assert f"th dport {PORT} dnat ip to {uplink_address.GATEWAY_END}" in rules
    assert (
        f"ip saddr {uplink_address.GATEWAY_END} meta l4proto {{ tcp, udp }} masquerade to :1024-65535"
        in rules
    )
    assert "snat" not in rules.replace("srcnat", "")


def test_restarted_container_replaces_the_device_pair(host: Host) -> None:
    for _ in range(2):
        assert "default via" in as_container(ACCOUNT)


@pytest.mark.usefixtures("host")
def test_pair_is_removed_if_the_rules_cannot_be_loaded() -> None:
    Path(names.RULES).write_text("no rules\n")
    said = as_container(ACCOUNT)
    assert "failed: " in said
    assert "eth0" not in said


def test_failure_in_the_container_leaves_root_serving(host: Host) -> None:
    def take_the_name() -> None:
        subprocess.run(["ip", "link", "add", "eth0", "type", "bridge"], check=True)

    assert "failed: " in as_container(ACCOUNT, take_the_name)
    assert "default via" in as_container(ACCOUNT)


@pytest.mark.parametrize(
    ("user", "descriptor", "reason"),
    [
        (OTHER, 0, f"user {OTHER} is not user {ACCOUNT}"),
        (0, 0, f"user 0 is not user {ACCOUNT}"),
        (ACCOUNT, None, "no descriptor was sent"),
    ],
)
def test_invalid_offer_is_refused(user: int, descriptor: int | None, reason: str) -> None:
    with socket.socket() as connection:
        assert uplink_connection.refusal(Offer(connection, user, descriptor), ACCOUNT) == f"refused: {reason}"


def test_namespace_of_the_host_is_refused() -> None:
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    with socket.socket() as connection:
        refused = uplink_connection.refusal(Offer(connection, ACCOUNT, own), ACCOUNT)
    os.close(own)
    assert refused == f"refused: the descriptor is not a network namespace of user {ACCOUNT}"


def test_missing_socket_error_has_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SOCKETS", "/run/there-is-none")
    with refused(SetupError, "uplink-refused") as caught:
        uplink_connection.attach(PORT, Processes())
    assert "mstunnel-setup host" in caught.value.hint


def test_firewall_rules_can_be_loaded_twice() -> None:
    script = f"{names.rules(443)}\n{names.rules(443)}"
    done = subprocess.run(
        ["unshare", "--net", "nft", "--file", "-"], input=script, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_account_gets_one_answer_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    began = clock.monotonic()
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(uplink_connection, "offers", lambda _idle: [Offer(theirs, OTHER, None)] * 5)
    with ours, theirs:
        uplink_connection.serve("nobody", Processes(), clock)
    assert clock.monotonic() - began == 5
