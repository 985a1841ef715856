"""Packets in another process's network namespace are recorded as a pcap file, within limits."""

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.places import for_other_users

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="entering a network needs root")

ACCOUNT = 65534
# A separate program, since a process cannot leave a user namespace again.
ENTER = """
import socket, subprocess, sys
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.namespaces import enter_network_of, interfaces, record
enter_network_of(int(sys.argv[1]))
assert interfaces() == ["lo"], interfaces()
"""
RECORD = """
pieces = record(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
sys.stdout.buffer.write(next(pieces))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(3):
    sender.sendto(b"packet %d" % number + bytes(1000), ("127.0.0.1", 9))
"""
LEAVES = """
def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

ip("link add vpns0 type veth peer name tun0")
ip("link set tun0 up")
ip("link set vpns0 up")
ip("address add 10.9.0.1/24 dev vpns0")
ip("neighbour add 10.9.0.2 lladdr 02:00:00:00:00:01 dev vpns0")
pieces = record("vpns0", float(sys.argv[3]), int(sys.argv[4]))
sys.stdout.buffer.write(next(pieces))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"the last words", ("10.9.0.2", 9))
ip("link delete vpns0")
"""
DOWN = """
subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
pieces = record(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
try:
    next(pieces)
except NetworkError as error:
    pieces = [error.message.encode()]
"""
REST = """
for piece in pieces:
    sys.stdout.buffer.write(piece)
"""


@pytest.fixture(params=[0, pytest.param(ACCOUNT, marks=for_other_users)], ids=["root", "account"])
def user(request: pytest.FixtureRequest) -> int:
    """Return the recording user: root, or the account that owns the network in its own user namespace."""
    found: int = request.param
    return found


@pytest.fixture
def process_id(user: int) -> Iterator[int]:
    """Run a process alone in a separate network namespace."""
    users = ("--user", "--map-root-user") if user else ()
    command = ["unshare", *users, "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, user=user, group=user, extra_groups=()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process.pid
        process.kill()


def recorded(process_id: int, user: int, seconds: float, size: int, script: str = RECORD) -> bytes:
    given = (str(process_id), "lo", str(seconds), str(size))
    command = [sys.executable, "-c", f"{ENTER}{script}{REST}", *given]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, user=user, group=user)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_recording_is_a_pcap_file_with_the_packets(process_id: int, user: int) -> None:
    found = recorded(process_id, user, 0.5, 100_000)
    assert struct.unpack_from("<IHHiIII", found)[::6] == (0xA1B2C3D4, 1)
    assert all(b"packet %d" % number in found for number in range(3))
    _seconds, _micro, kept, whole = struct.unpack_from("<IIII", found, 24)
    assert kept == whole > 1000


def test_recording_ends_at_its_size_limit(process_id: int, user: int) -> None:
    found = recorded(process_id, user, 20, 2500)
    assert len(found) <= 2500
    assert b"packet 0" in found
    assert b"packet 2" not in found


def test_recording_ends_when_the_client_disconnects(process_id: int, user: int) -> None:
    """Check the removal of the interface, as ocserv does it when a client disconnects."""
    began = time.monotonic()
    found = recorded(process_id, user, 60, 100_000, LEAVES)
    assert b"the last words" in found
    assert time.monotonic() - began < 50


def test_an_interface_that_is_down_is_refused(process_id: int, user: int) -> None:
    assert recorded(process_id, user, 60, 100_000, DOWN) == b"cannot record lo: Network is down"
