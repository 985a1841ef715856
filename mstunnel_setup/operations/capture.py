"""`mst-cli server capture`: the traffic of a client or an interface of the server's container, as pcap."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway.occtl import ShowCommand
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.capture import enter_network_of, interfaces, record
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import kind_at, refuse_present
from mstunnel_setup.operations.sessions import ask, server_process

_USERS = ShowCommand(("users",), "")


@dataclass(frozen=True)
class Bounds:
    """When to stop: after seconds, or at a file size in bytes; Ctrl-C ends it earlier."""

    seconds: int
    size: int


def capture(operator: Operator, what: str, file: str, bounds: Bounds) -> Result:
    """Record into a new file of mode 0600. After an interruption the packets so far are kept.

    Raises UsageError for a file that cannot be a new one, or when no such client or interface is there.
    """
    target = Path(file).absolute()
    refuse_present(target)
    if kind_at(target.parent) != "directory":
        raise UsageError(
            "folder-missing",
            "there is no directory {parent}",
            hint="Correct the path.",
            parent=target.parent,
        )
    with open_gateway(operator) as ports:
        process = server_process(ports)
        device = _device(ports, what)
    operator.console.say(
        text(
            "Recording {device} for at most {seconds} s; Ctrl-C stops it.",
            device=device,
            seconds=bounds.seconds,
        )
    )
    # Reading and writing files goes on as before: only the network is another one.
    enter_network_of(process)
    if device not in interfaces():
        raise UsageError(
            "interface-unknown",
            "the server has no interface {device}",
            hint="Give one of {interfaces}, or the tunnel address of a client.",
            device=device,
            interfaces=", ".join(interfaces()),
        )
    with operator.files.given.growing(str(target)) as recording:
        packets, size = _record(recording, device, bounds)
    data = {"file": str(target), "interface": device, "packets": packets, "bytes": size}
    return Result(
        "changed", data, text=[text("{packets} packets in {target}.", packets=packets, target=target)]
    )


def _record(recording: Appender, device: str, bounds: Bounds) -> tuple[int, int]:
    """Write packets as they come; how many, and the bytes of the file. An interruption keeps whole ones."""
    pieces = size = 0
    try:
        for piece in record(device, bounds.seconds, bounds.size):
            recording.append(piece)
            pieces, size = pieces + 1, size + len(piece)
    except KeyboardInterrupt:
        if not pieces:
            raise
        recording.truncate(size)
    return pieces - 1, size


def _device(ports: Host, what: str) -> str:
    """The interface to record; each client has a separate one. Raises UsageError `client-unknown`."""
    try:
        address = str(ipaddress.ip_address(what))
    except ValueError:
        return what
    rows = ask(ports, _USERS)
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and address in (row.get("IPv4"), row.get("IPv6")):
            return str(row["Device"])
    raise UsageError(
        "client-unknown",
        "no client has the address {address}",
        hint="List the clients with `mst-cli server show users`.",
        address=address,
    )
