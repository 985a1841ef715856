"""Packets of a network that only another process sees become a pcap file, within its bounds."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="entering a network needs root")

# Apart from this program, since there is no way back from a network.
SCRIPT = """
import socket, sys, threading
from mstunnel_setup.io.namespaces import enter_network_of, interfaces, record
enter_network_of(int(sys.argv[1]))
assert interfaces() == ["lo"], interfaces()
pieces = record("lo", float(sys.argv[2]), int(sys.argv[3]))
sys.stdout.buffer.write(next(pieces))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(3):
    sender.sendto(b"packet %d" % number + bytes(1000), ("127.0.0.1", 9))
for piece in pieces:
    sys.stdout.buffer.write(piece)
"""


@pytest.fixture
def process_id() -> Iterator[int]:
    """A process alone in a separate network."""
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process.pid
        process.kill()


def recorded(process_id: int, seconds: float, size: int) -> bytes:
    command = [sys.executable, "-c", SCRIPT, str(process_id), str(seconds), str(size)]
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout


def test_the_file_is_pcap_and_holds_the_packets(process_id: int) -> None:
    found = recorded(process_id, 0.5, 100_000)
    assert struct.unpack_from("<IHHiIII", found)[::6] == (0xA1B2C3D4, 1)
    assert all(b"packet %d" % number in found for number in range(3))
    _seconds, _micro, kept, whole = struct.unpack_from("<IIII", found, 24)
    assert kept == whole > 1000


def test_it_ends_at_its_size(process_id: int) -> None:
    found = recorded(process_id, 20, 2500)
    assert len(found) <= 2500
    assert b"packet 0" in found
    assert b"packet 2" not in found
