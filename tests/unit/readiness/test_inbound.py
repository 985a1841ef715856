"""Inbound probes over loopback."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.readiness.facts import inbound
from mstunnel_setup.readiness.facts.inbound import InboundFacts
from tests.unit.readiness.servers import serving, tls

CLOCK = Clock()


@contextmanager
def listening(expected: str, seconds: float = 10) -> Iterator[tuple[int, Future[InboundFacts]]]:
    """The port of a listener, and what it will have seen."""
    ports: SimpleQueue[int] = SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(inbound.listen, 0, expected, CLOCK, seconds, ports.put)
        yield ports.get(timeout=120), seen


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way_out:
        way_out.connect(("192.0.2.1", 9))
        return str(way_out.getsockname()[0])


@pytest.mark.parametrize("expected", ["127.0.0.1", "localhost"])
def test_both_sides_see_what_arrives(expected: str) -> None:
    with listening(expected) as (port, seen):
        sent = inbound.probe("127.0.0.1", port, CLOCK, 5)
        got = seen.result(120)
    assert (got.tcp, got.udp, got.expected) == (("127.0.0.1",), ("127.0.0.1",), "127.0.0.1")
    assert (sent.tcp, sent.udp, sent.gateway) == (("127.0.0.1",), ("127.0.0.1",), False)


@pytest.mark.parametrize("address", [lambda: "127.0.0.1", own_address])
def test_a_probe_from_the_host_itself_proves_nothing(address: Callable[[], str]) -> None:
    with listening("198.51.100.7", seconds=1.5) as (port, seen):
        inbound.probe(address(), port, CLOCK, 5)
        got = seen.result(120)
    assert (got.tcp, got.udp, got.error) == ((), (), "")


NEEDS_NAMESPACES = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and the program ip"
)


@pytest.fixture
def second_place() -> Iterator[tuple[str, str]]:
    """Another host, a network namespace: its name, and how the addresses begin (we end with 1, it with 2).

    They are of this run alone: the files of a killed one do no harm.
    """
    name, net = f"mst{secrets.token_hex(3)}", f"10.213.{secrets.randbelow(256)}"
    commands = [
        f"netns add {name}",
        f"link add {name}a type veth peer name {name}b netns {name}",
        f"addr add {net}.1/30 dev {name}a",
        f"link set {name}a up",
        f"-n {name} addr add {net}.2/30 dev {name}b",
        f"-n {name} link set {name}b up",
    ]
    try:
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True, capture_output=True)
        yield name, net
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", f"{name}a"], check=False, capture_output=True)


@NEEDS_NAMESPACES
def test_a_second_place_proves_it_with_the_very_command(second_place: tuple[str, str]) -> None:
    name, net = second_place
    program = "import sys; from mstunnel_setup.cli.readiness import main; sys.exit(main())"
    command = ["ip", "netns", "exec", name, sys.executable, "-c", program, "inbound"]
    with listening(f"{net}.2", seconds=30) as (port, seen):
        done = subprocess.run(
            [*command, "--probe", f"{net}.1:{port}", "--output", "json"],
            capture_output=True,
            timeout=60,
            check=False,
        )
        got = seen.result(120)

    assert (got.tcp, got.udp) == ((f"{net}.2",), (f"{net}.2",))
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["data"]["summary"]["pass"] == 2


def test_strangers_do_not_end_the_wait() -> None:
    with listening("127.0.0.1") as (port, seen):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"x" * 200, ("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)):
            sent = inbound.probe("127.0.0.1", port, CLOCK, 5)
            seen.result(120)

    assert sent.tcp
    assert sent.udp


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("", 0)) as taken:
        got = inbound.listen(taken.getsockname()[1], "198.51.100.7", CLOCK, 1)

    assert "cannot be listened on" in got.error


def test_a_running_gateway_answers_with_tls() -> None:
    with serving(tls(trustme.CA(), "localhost", b"")) as port:
        sent = inbound.probe("127.0.0.1", port, CLOCK, 4)

    assert (sent.gateway, sent.tcp, sent.udp) == (True, ("127.0.0.1",), ())


def test_no_listener_ends_in_time() -> None:
    began = time.monotonic()

    sent = inbound.probe("127.0.0.1", 1, CLOCK, 2)

    assert (sent.tcp, sent.udp, sent.gateway) == ((), (), False)
    assert time.monotonic() - began < 20


def test_a_gateway_that_takes_udp_and_never_answers_ends_in_time() -> None:
    """A firewall that drops the answers looks like this."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        probing = threading.Thread(
            target=inbound.probe, args=("127.0.0.1", silent.getsockname()[1], CLOCK, 2), daemon=True
        )
        probing.start()
        probing.join(20)
        assert not probing.is_alive()
        assert silent.recv(200).startswith(b"mst-readiness probe ")


def test_a_firewall_that_drops_tcp_leaves_time_for_udp() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        # Its queue has room for that one connection: the kernel drops what comes for another.
        udp.bind(full.getsockname())

        def answer_one() -> None:
            message, source = udp.recvfrom(200)
            udp.sendto(inbound.answer(message) or b"", source)

        threading.Thread(target=answer_one, daemon=True).start()
        sent = inbound.probe("127.0.0.1", full.getsockname()[1], CLOCK, 2)

    assert (sent.tcp, sent.udp) == ((), ("127.0.0.1",))


@given(st.binary(max_size=80))
def test_nothing_but_a_probe_is_answered(message: bytes) -> None:
    assert inbound.answer(message) is None


@given(st.binary(min_size=16, max_size=16))
def test_an_answer_is_no_longer_than_its_probe(nonce: bytes) -> None:
    probe = b"mst-readiness probe " + nonce.hex().encode() + b"\n"
    answer = inbound.answer(probe)

    assert answer is not None
    assert len(answer) <= len(probe) <= 64
    assert nonce.hex().encode() in answer
