"""Devices that were connected before an upgrade, as the only proof of a session that the host has.

Tokens are for devices, so the host cannot sign in to its own gateway; those that were connected come back by
themselves within seconds, unless they sleep.
"""

import re
from collections.abc import Collection
from typing import Final, Literal, TypeAlias

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError, SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from mstunnel_setup.install.context import Context
from mstunnel_setup.operations.sessions import ask

Verdict: TypeAlias = Literal["let-in", "refused", "away"]

# ocserv 1.3.0, worker-log.c and worker-auth.c; an error, so it is logged at every level, with its source.
_REFUSAL: Final = re.compile(
    r"worker(?:\[[^\]]*\])?: ([0-9a-fA-F.:]+) (?:[\w.-]+:\d+: )?failed authentication for "
)


_USERS: Final = next(command for command in SHOW_COMMANDS if command.words == ("users",))
_PATIENCE: Final = 60.0
_PAUSE: Final = 2.0
_SECONDS: Final = 20.0


def refused_addresses(log: str) -> frozenset[str]:
    """The addresses of devices whose sign-in the gateway refused, from its log."""
    return frozenset(_REFUSAL.findall(log))


def judge(connected: int, before: Collection[str], refused: Collection[str]) -> Verdict:
    """Judge a new release by its sessions and the addresses that it refused.

    `before` are the addresses that were connected. Other refused addresses prove nothing, the earlier release
    may have refused them too; nor does a device that has not reconnected, it may sleep.
    """
    if connected:
        return "let-in"
    return "refused" if set(before) & set(refused) else "away"


def connected(ports: Host) -> tuple[str, ...]:
    """The address of each device that is connected. Raises EngineError when the gateway cannot be asked."""
    rows = [row for row in ask(ports, _USERS) if isinstance(row, dict)]
    # occtl lists every open connection, also before and after a sign-in that is refused.
    return tuple(str(row.get("Remote IP", "")) for row in rows if row.get("State") == "connected")


def await_devices(context: Context, before: tuple[str, ...]) -> int:
    """How many devices are connected as soon as one is, or none after a minute; `before` were the addresses.

    Raises NetworkError `devices-refused` when none is let in and one of those from before was turned away.
    """
    clock = context.ports.clock
    end = clock.monotonic() + _PATIENCE
    if not (found := _count(context.ports)):
        context.prompter.say(
            text("Waiting for a device to come back, at most {patience:.0f} s.", patience=_PATIENCE)
        )
    while not found and clock.monotonic() < end:
        clock.sleep(_PAUSE)
        found = _count(context.ports)
    if judge(found, before, refused_addresses("" if found else _log(context.ports))) == "refused":
        raise NetworkError(
            "devices-refused",
            "devices that were connected before are refused now, and none is accepted",
            hint="Search `mst-cli server logs` for `failed authentication`.",
        )
    return found


def _count(ports: Host) -> int:
    """How many devices are connected; a gateway that does not answer just now has none yet."""
    try:
        return len(connected(ports))
    except EngineError:
        return 0


def _log(ports: Host) -> str:
    """The log of the container that runs now; empty when the engine does not keep one."""
    command = ports.engine.logs_command(paths.SERVER, LogOptions())
    try:
        done = ports.processes.run(command, timeout=_SECONDS, check=False)
    except SetupError:
        return ""
    return done.output + done.error
