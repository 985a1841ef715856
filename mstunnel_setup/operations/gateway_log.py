"""The gateway's log since a moment, and the records of sessions in it (docs/reference/logs.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, cast

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.containers.engine import LogOptions

Operation: TypeAlias = Literal["connect", "disconnect"]

_MARK: Final = "OCSERV_TELEMETRY"
_FIELDS: Final = {"connect": 9, "disconnect": 12}
# A counter of the kernel has 64 bits.
_DIGITS: Final = 20


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """A session that began or ended: `client` is the device's address outside, `assigned` inside the tunnel.

    `bytes_in` came from the device, `bytes_out` went to it; they and `seconds` are 0 when it begins.
    """

    operation: Operation
    client: str
    assigned: str
    user: str
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: int = 0


def log_since(ports: Host, since: datetime) -> Iterator[str]:
    """The lines, one at a time, however many there are. Raises SetupError when they cannot be had.

    The journal also has those of earlier containers, which the engine forgets with the container.
    """
    yield from ports.processes.lines(_command(ports, since))


def _command(ports: Host, since: datetime) -> Sequence[str]:
    if not ports.systemd.running():
        options = LogOptions(since=since.isoformat(timespec="seconds"))
        return ports.engine.logs_command(paths.SERVER, options)
    fixed = ("journalctl", "--quiet", "--no-pager", "--output=cat")
    return (*fixed, f"--identifier={paths.SERVER_TAG}", f"--since=@{int(since.timestamp())}")


def session_record(line: str) -> SessionRecord | None:
    """The record that a line is; None for all other lines."""
    if not line.startswith(f"{_MARK},"):
        return None
    fields = line.split(",")
    operation = fields[1]
    if len(fields) != _FIELDS.get(operation):
        return None
    bytes_in, bytes_out, seconds = (
        whole_number(field, _DIGITS) or 0 for field in (*fields[9:], "", "", "")[:3]
    )
    return SessionRecord(
        operation=cast("Operation", operation),
        client=fields[2],
        assigned=fields[5],
        user=fields[6],
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        seconds=seconds,
    )
