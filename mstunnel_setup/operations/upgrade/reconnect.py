"""Devices that were connected before an upgrade, as the only proof of a session that the host has.

Tokens are for devices, so the host cannot sign in to its own gateway; those that were connected come back by
themselves within seconds, unless they sleep.
"""

from typing import Final

from mstunnel_setup import paths
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.errors import EngineError, SetupError
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.operations.errors import DEVICES_REFUSED
from mstunnel_setup.operations.sessions import ask
from mstunnel_setup.upgrade.devices import judge, refused_addresses

_USERS: Final = next(command for command in SHOW_COMMANDS if command.words == ("users",))
_PATIENCE: Final = 60.0
_PAUSE: Final = 2.0
_SECONDS: Final = 20.0


def connected(ports: Ports) -> tuple[str, ...]:
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
        context.prompter.say(f"Waiting for a device to come back, at most {_PATIENCE:.0f} s.")
    while not found and clock.monotonic() < end:
        clock.sleep(_PAUSE)
        found = _count(context.ports)
    if judge(found, before, refused_addresses("" if found else _log(context.ports))) == "refused":
        raise DEVICES_REFUSED()
    return found


def _count(ports: Ports) -> int:
    """How many devices are connected; a gateway that does not answer just now has none yet."""
    try:
        return len(connected(ports))
    except EngineError:
        return 0


def _log(ports: Ports) -> str:
    """The log of the container that runs now; empty when the engine does not keep one."""
    command = ports.engine.logs_command(paths.SERVER, LogOptions())
    try:
        done = ports.processes.run(command, timeout=_SECONDS, check=False)
    except SetupError:
        return ""
    return done.output + done.error
