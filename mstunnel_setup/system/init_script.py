"""The init script that starts the gateway at boot, where the first process is not systemd.

Not tried on a host with OpenRC or System V init; openrc-run(8), rc-update(8) and update-rc.d(8) say how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.errors import StepError
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import ProcessError, Processes
from mstunnel_setup.system.world import HasProcesses

Init: TypeAlias = Literal["openrc", "sysv"]

NAME = "mstunnel"
PATH = f"/etc/init.d/{NAME}"
_SECONDS = 60.0
_ENABLE: Mapping[Init, tuple[str, ...]] = {
    "openrc": ("rc-update", "add", NAME, "default"),
    "sysv": ("update-rc.d", NAME, "defaults"),
}
_DISABLE: Mapping[Init, tuple[str, ...]] = {
    "openrc": ("rc-update", "del", NAME, "default"),
    "sysv": ("update-rc.d", "-f", NAME, "remove"),
}
# The folder of links that the init follows at boot.
_LINKS: Mapping[Init, str] = {"openrc": "/etc/runlevels/default", "sysv": "/etc/rc2.d"}
_OPENRC = """\
#!/sbin/openrc-run
description="Microsoft Tunnel gateway"

depend() {
	need localmount
	use net modules
	after firewall
}

start() {
	ebegin "Starting the Microsoft Tunnel gateway"
	PROGRAM server start >/dev/null && PROGRAM agent start >/dev/null
	eend $?
}

stop() {
	ebegin "Stopping the Microsoft Tunnel gateway"
	PROGRAM agent stop >/dev/null; PROGRAM server stop >/dev/null
	eend $?
}
"""
_SYSV = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          mstunnel
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      kmod
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Microsoft Tunnel gateway
### END INIT INFO

case "$1" in
start) PROGRAM server start >/dev/null && PROGRAM agent start >/dev/null ;;
stop) PROGRAM agent stop >/dev/null; PROGRAM server stop >/dev/null ;;
restart | force-reload) "$0" stop; "$0" start ;;
status) PROGRAM server status && PROGRAM agent status ;;
*) echo "Usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
"""


def running(files: Files, processes: Processes) -> Init | None:
    """Which init started this host, if it is one that takes scripts; a package alone starts nothing."""
    if files.state("/run/openrc") is not None and processes.find("rc-update"):
        return "openrc"
    # The pipe of System V's init(8); systemd has one, too, and is asked about first.
    if files.state("/run/initctl") is not None and processes.find("update-rc.d"):
        return "sysv"
    return None


def text(init: Init, program: str) -> str:
    """The script; `program` is the full path of mst-cli."""
    return (_OPENRC if init == "openrc" else _SYSV).replace("PROGRAM", program)


@dataclass(frozen=True, kw_only=True)
class EnableInitScript(Action[HasProcesses]):
    """Have the init run our script at every boot. Undo takes that back; the script is another action's."""

    kind: ClassVar[str] = "enable-init-script"
    init: Init

    @property
    def key(self) -> str:
        """The script."""
        return f"init-script:{NAME}"

    def describe(self) -> str:
        """What will be done."""
        return f"have each boot run {PATH} (`{' '.join(_ENABLE[self.init])}`)"

    def satisfied(self, world: HasProcesses, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether the init's links name it."""
        return self._linked(world)

    def capture(self, world: HasProcesses) -> JsonObject:  # noqa: ARG002
        """Nothing was linked, or the action would be satisfied."""
        return {}

    def apply(self, world: HasProcesses, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Let the init's own program make the links. Raises StepError `init-script-refused`."""
        try:
            world.processes.run(_ENABLE[self.init], timeout=_SECONDS)
        except ProcessError as error:
            raise StepError(
                "init-script-refused",
                f"the init of this host does not take {PATH}: {error.message}",
                f"Run `{' '.join(_ENABLE[self.init])}` to see why.",
            ) from error
        return {}

    def undo(self, world: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:  # noqa: ARG002
        """Have the init's own program remove the links; without it they are named and stay."""
        if not self._linked(world):
            return Undone(Undo.ABSENT)
        try:
            world.processes.run(_DISABLE[self.init], timeout=_SECONDS)
        except ProcessError as error:
            return Undone(Undo.KEPT, f"the links to {PATH}: {error.message}")
        return Undone(Undo.REMOVED)

    def _linked(self, world: HasProcesses) -> bool:
        """System V's links are called S and two digits more (update-rc.d(8))."""
        folder = _LINKS[self.init]
        names = world.files.names(folder) if world.files.state(folder) is not None else ()
        return any(name == NAME or (name[:1] == "S" and name[3:] == NAME) for name in names)
