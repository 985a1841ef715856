"""Packet capture of one network interface, also inside a container's network: pcap, without tcpdump."""

import ctypes
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.errors import NETWORK_NOT_ENTERED

# linux/sched.h, linux/sockios.h, linux/if_ether.h, linux/if_arp.h
_CLONE_NEWNET: Final = 0x40000000
_SIOCGIFHWADDR: Final = 0x8927
_EVERY_PROTOCOL: Final = 0x0003
_WITHOUT_HEADER: Final = frozenset({0xFFFE, 519, 512})
# Link types of pcap files: packets that begin with the IP header, and Ethernet (loopback has one too).
_RAW, _ETHERNET = 101, 1
_LONGEST_PACKET: Final = 262_144
_LOOK_SECONDS: Final = 0.2


def enter_network_of(process_id: int) -> None:
    """Move this process into the network namespace of another, for good. Raises NetworkError."""
    library = ctypes.CDLL(None, use_errno=True)
    try:
        handle = os.open(f"/proc/{process_id}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NETWORK_NOT_ENTERED(reason=error.strerror) from error
    try:
        if library.setns(handle, _CLONE_NEWNET) != 0:
            raise NETWORK_NOT_ENTERED(reason=os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)


def interfaces() -> list[str]:
    """Names of the interfaces of the current network namespace."""
    return sorted(name for _number, name in socket.if_nameindex())


def record(interface: str, seconds: float, size: int) -> Iterator[bytes]:
    """A pcap file in pieces: its header, then every packet, for `seconds` or up to `size` bytes in all.

    Raises NetworkError when there is no such interface or the permission is missing.
    """
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as listener:
            listener.bind((interface, 0))
            listener.settimeout(_LOOK_SECONDS)
            header = struct.pack(
                "<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _LONGEST_PACKET, _link(listener, interface)
            )
            yield header
            yield from _packets(listener, seconds, size - len(header))
    except OSError as error:
        raise NetworkError(
            "capture-failed",
            "cannot record {interface}: {reason}",
            hint="List the interfaces with `ip link`; recording needs root.",
            interface=interface,
            reason=error.strerror,
        ) from error


def _packets(listener: socket.socket, seconds: float, size: int) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            packet = listener.recv(_LONGEST_PACKET)
        except TimeoutError:
            continue
        now = time.time_ns() // 1000
        piece = struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(packet), len(packet)) + packet
        size -= len(piece)
        if size < 0:
            return
        yield piece


def _link(listener: socket.socket, interface: str) -> int:
    request = struct.pack("16s16x", interface.encode())
    answer = fcntl.ioctl(listener, _SIOCGIFHWADDR, request)
    (kind,) = struct.unpack_from("H", answer, 16)
    return _RAW if kind in _WITHOUT_HEADER else _ETHERNET
