"""Listeners on a port: the kernel's socket tables, and the programs that hold the sockets."""

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.containers.container_spec import Protocol
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

# include/net/tcp_states.h: TCP_LISTEN is 0A; an unconnected UDP socket is 07 (TCP_CLOSE). `_STATE` and
# `_INODE` are columns of the tables.
_STATE, _INODE = 3, 9
_WAITING = {"tcp": "0A", "udp": "07"}


@dataclass(frozen=True)
class Listener:
    """A listening socket; `program` and `pid` are None when unknown."""

    protocol: Protocol
    address: str
    port: int
    program: str | None = None
    pid: int | None = None


def listening(files: Files, port: int) -> tuple[Listener, ...]:
    """Return all TCP and UDP listeners on `port` in our network namespace."""
    found = []
    protocols: tuple[Protocol, ...] = ("tcp", "udp")
    for protocol in protocols:
        for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
            content = (files.read(table) or b"").decode("ascii", errors="replace")
            for address, number, inode in parse(content, protocol):
                if number == port:
                    program, pid = _holder(files, f"socket:[{inode}]")
                    found.append(Listener(protocol, address, port, program, pid))
    return tuple(found)


def parse(table: str, protocol: Protocol) -> tuple[tuple[str, int, int], ...]:
    """Return the listening sockets in a table such as /proc/net/tcp6: address, port and inode.

    Source: proc_net_tcp.rst. The inode identifies a socket in /proc/PID/fd.
    """
    rows = (line.split() for line in table.splitlines()[1:])
    return tuple(
        (_address(host), int(port, 16), whole_number(row[_INODE], 20) or 0)
        for row in rows
        if len(row) > _INODE and row[_STATE] == _WAITING[protocol]
        for host, port in [row[1].split(":")]
    )


def _address(digits: str) -> str:
    """Return an address that the kernel prints as 32-bit words, little-endian on our platforms."""
    words = (bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8))
    return str(ip_address(b"".join(words)))


def _holder(files: Files, socket: str) -> tuple[str | None, int | None]:
    """Return name and id of the first process that holds the socket."""
    for name in files.names("/proc"):
        number, directory = whole_number(name), f"/proc/{name}/fd"
        # Processes of other users are not readable, and processes may end meanwhile.
        with suppress(FileError, OSError):
            states = (files.state(f"{directory}/{descriptor}") for descriptor in files.names(directory))
            if number is not None and any(state is not None and state.target == socket for state in states):
                command = (files.read(f"/proc/{name}/comm") or b"").decode(errors="replace").strip()
                return command or None, number
    return None, None
