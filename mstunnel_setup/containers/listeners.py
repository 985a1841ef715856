"""Listeners on a port: the socket tables of the kernel, and the programs that hold the sockets."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePosixPath

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.containers.spec import Protocol
from mstunnel_setup.io.files import Files

# include/net/tcp_states.h: TCP_LISTEN is 0A; an unconnected UDP socket is 07 (TCP_CLOSE).
# Columns of the tables.
_STATE, _INODE = 3, 9
_WAITING = {"tcp": "0A", "udp": "07"}
_IPV4_DIGITS = 8


@dataclass(frozen=True)
class Listener:
    """A listening socket; `program` and `pid` are None when unknown."""

    protocol: Protocol
    address: str
    port: int
    program: str | None = None
    pid: int | None = None


@dataclass(frozen=True)
class Socket:
    """A row of a socket table; `inode` identifies the socket in /proc/PID/fd."""

    address: str
    port: int
    inode: int


def listening(files: Files, port: int) -> tuple[Listener, ...]:
    """All TCP and UDP listeners on `port` in our network namespace."""
    protocols: tuple[Protocol, ...] = ("tcp", "udp")
    return tuple(listener for protocol in protocols for listener in _listeners(files, protocol, port))


def parse(table: str, protocol: Protocol) -> tuple[Socket, ...]:
    """The listening sockets in a table such as /proc/net/tcp6 (proc_net_tcp.rst)."""
    rows = (line.split() for line in table.splitlines()[1:])
    return tuple(
        Socket(_address(host), int(port, 16), whole_number(row[_INODE], 20) or 0)
        for row in rows
        if len(row) > _INODE and row[_STATE] == _WAITING[protocol]
        for host, port in [row[1].split(":")]
    )


def _listeners(files: Files, protocol: Protocol, port: int) -> Iterator[Listener]:
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        content = (files.read(table) or b"").decode("ascii", errors="replace")
        for found in parse(content, protocol):
            if found.port == port:
                program, pid = _holder(files, found.inode)
                yield Listener(protocol, found.address, port, program, pid)


def _address(digits: str) -> str:
    """The kernel prints 32-bit words in the byte order of the machine: little-endian on our platforms."""
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    packed = b"".join(words)
    return str(IPv4Address(packed) if len(digits) == _IPV4_DIGITS else IPv6Address(packed))


def _holder(files: Files, inode: int) -> tuple[str | None, int | None]:
    """Name and id of the first process that holds the socket."""
    for name in files.names("/proc"):
        number = whole_number(name)
        if number is not None and _holds(files, name, f"socket:[{inode}]"):
            command = (files.read(f"/proc/{name}/comm") or b"").decode(errors="replace").strip()
            return command or None, number
    return None, None


def _holds(files: Files, pid: str, socket: str) -> bool:
    directory = PurePosixPath("/proc") / pid / "fd"
    try:
        states = (files.state(str(directory / descriptor)) for descriptor in files.names(str(directory)))
        return any(state is not None and state.target == socket for state in states)
    except OSError:
        # Processes of other users are not readable, and processes may end meanwhile.
        return False
