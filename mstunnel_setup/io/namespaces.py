"""Network namespaces: passing them through a socket, finding their owners, entering and capturing.

An open descriptor is passed, because a process id or a path could refer to something else a moment later.
"""

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mstunnel_setup.base.errors import NetworkError

_OWN_NETWORK: Final = "/proc/self/ns/net"
_OWN_USERS: Final = "/proc/self/ns/user"
# Source: ioctl_ns(2), clone(2).
_GET_USERNS, _GET_PARENT, _GET_OWNER = 0xB701, 0xB702, 0xB704
# The first descriptor that systemd passes to a service (sd_listen_fds(3)).
_FROM_SYSTEMD: Final = 3
_CREDENTIALS: Final = struct.Struct("3i")
_SECONDS: Final = 2.0
_LONGEST_ANSWER: Final = 1000
# linux/sched.h, linux/sockios.h, linux/if_ether.h, linux/if_arp.h
_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWUSER: Final = 0x10000000
_SIOCGIFHWADDR: Final = 0x8927
_EVERY_PROTOCOL: Final = 0x0003
_WITHOUT_HEADER: Final = frozenset({0xFFFE, 519, 512})
# Link types of pcap files: packets that begin with the IP header, and Ethernet (as on the loopback).
_RAW, _ETHERNET = 101, 1
_LONGEST_PACKET: Final = 262_144
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Offer:
    """A connection, the user id at its other end, and the descriptor that came with it, if any."""

    connection: socket.socket
    user: int
    descriptor: int | None

    @property
    def path(self) -> str:
        """A path at which child processes of this process can open the descriptor."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def answer(self, text: str) -> None:
        """Send `text`, even if nobody waits for it any more."""
        with suppress(OSError):
            self.connection.sendall(text.encode())


def offers(idle: float, descriptor: int = _FROM_SYSTEMD) -> Iterator[Offer]:
    """Yield connections to the socket that systemd has opened, until none arrives for `idle` seconds."""
    with socket.socket(fileno=descriptor) as listener:
        while select.select([listener], [], [], idle)[0]:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_SECONDS)
                credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                user: int = _CREDENTIALS.unpack(credentials)[1]
                received: list[int] = []
                with suppress(OSError):
                    # The kernel closes all descriptors but the first.
                    _, received, _, _ = socket.recv_fds(connection, 1, 1, socket.MSG_CMSG_CLOEXEC)
                try:
                    yield Offer(connection, user, received[0] if received else None)
                finally:
                    for number in received:
                        os.close(number)


def owner(descriptor: int) -> int | None:
    """Return the user who owns a network namespace through a user namespace directly below ours, or None."""
    opened: list[int] = []
    try:
        # The kernel's name for a namespace; the name of a file begins with `/`. No ioctl is sent to other
        # files: the same number may mean something else there, and a file system of the account might never
        # respond.
        if not str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("net:["):
            return None
        opened.append(fcntl.ioctl(descriptor, _GET_USERNS))
        opened.append(fcntl.ioctl(opened[0], _GET_PARENT))
        if os.fstat(opened[1]).st_ino != Path(_OWN_USERS).stat().st_ino:
            return None
        return int.from_bytes(fcntl.ioctl(opened[0], _GET_OWNER, bytes(4)), "little")
    except OSError:
        # Our own namespaces and those outside have no such parent; a path may be too long for the kernel.
        return None
    finally:
        for number in opened:
            os.close(number)


def hand_over(path: str) -> str:
    """Send the network namespace of this process to the socket `path` and return the response.

    Raises OSError.
    """
    namespace = os.open(_OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10 * _SECONDS)
            connection.connect(path)
            socket.send_fds(connection, [b"n"], [namespace])
            return connection.recv(_LONGEST_ANSWER).decode(errors="replace")
    finally:
        os.close(namespace)


def enter_network_of(process_id: int) -> None:
    """Move this process permanently into another one's network namespace. Raises NetworkError.

    Only root may do that directly: an account first enters the user namespace that owns the network, where it
    has all rights. The process must have no threads. Afterwards files of other users appear to belong to no
    user; open files stay open.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(f"/proc/{process_id}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        if os.geteuid() != 0:
            opened.append(fcntl.ioctl(opened[0], _GET_USERNS))
            _enter(opened[1], _CLONE_NEWUSER)
        _enter(opened[0], _CLONE_NEWNET)
    except OSError as error:
        raise NetworkError(
            "network-not-entered",
            "cannot enter the network namespace of the container: {reason}",
            hint="Check that the server runs (`mst-cli server status`), and run the command as root, or as "
            "the account of a rootless gateway.",
            reason=error.strerror,
        ) from error
    finally:
        for number in opened:
            os.close(number)


def _enter(namespace: int, kind: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, kind) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def interfaces() -> list[str]:
    """Return the names of the interfaces of the current network namespace."""
    return sorted(name for _number, name in socket.if_nameindex())


def record(interface: str, seconds: float, size: int) -> Iterator[bytes]:
    """Yield a pcap file in pieces: its header, then every packet, for `seconds` or up to `size` bytes.

    It ends early if the interface disappears, as a client's does when the client disconnects. Raises
    NetworkError if there is no such interface, if it is down, or if the permission is missing.
    """
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as listener:
            _bind(listener, interface)
            listener.settimeout(_LOOK_SECONDS)
            answer = fcntl.ioctl(listener, _SIOCGIFHWADDR, struct.pack("16s16x", interface.encode()))
            (kind,) = struct.unpack_from("H", answer, 16)
            link = _RAW if kind in _WITHOUT_HEADER else _ETHERNET
            header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _LONGEST_PACKET, link)
            yield header
            size -= len(header)
            for packet in _packets(listener, seconds):
                now = time.time_ns() // 1000
                length = len(packet)
                piece = struct.pack("<IIII", now // 1_000_000, now % 1_000_000, length, length) + packet
                size -= len(piece)
                if size < 0:
                    return
                yield piece
    except OSError as error:
        raise NetworkError(
            "capture-failed",
            "cannot record {interface}: {reason}",
            hint="List the interfaces with `ip link`; recording needs root.",
            interface=interface,
            reason=error.strerror,
        ) from error


def _bind(listener: socket.socket, interface: str) -> None:
    listener.bind((interface, 0))
    # bind() succeeds on an interface that is down (packet(7)).
    if failure := listener.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(failure, os.strerror(failure))


def _packets(listener: socket.socket, seconds: float) -> Iterator[bytes]:
    """Yield the packets that arrive for `seconds`, or until the interface disappears."""
    end = time.monotonic() + seconds
    gone = False
    while time.monotonic() < end:
        try:
            packet = listener.recv(_LONGEST_PACKET)
        except TimeoutError:
            if gone:
                return
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
            # The kernel reports this before it delivers the packets that arrived earlier.
            gone = True
        else:
            yield packet
