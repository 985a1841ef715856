"""The init scripts that start gateway and monitor at boot, where the first process is not systemd.

Source: openrc-run(8), supervise-daemon(8), rc-update(8), update-rc.d(8) and start-stop-daemon(8). Tested with
the programs of OpenRC 0.56 (without `localmount` on Debian) and dpkg 1.22, not with a boot.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from typing_extensions import override

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.forwarding import RULES
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

Init: TypeAlias = Literal["openrc", "sysv"]
Name: TypeAlias = Literal["mstunnel", "mstunnel_monitor"]

_SECONDS = 300.0
# The directory of links that the init system follows at boot.
_LINKS: Mapping[Init, str] = {"openrc": "/etc/runlevels/default", "sysv": "/etc/rc2.d"}


def running(files: Files, processes: Processes) -> Init | None:
    """The init system that started this host; None for others than OpenRC and System V."""
    if files.state("/run/openrc") is not None and processes.find("rc-update"):
        return "openrc"
    # The pipe of System V's init(8); systemd has one too, and is checked first.
    if files.state("/run/initctl") is not None and processes.find("update-rc.d"):
        return "sysv"
    return None


def path(name: Name) -> str:
    """The path of the script."""
    return f"/etc/init.d/{name}"


def script_text(init: Init, name: Name, program: str) -> str:
    """The script; `program` is the full path of mst-cli or of the monitor."""
    return rendering.render(f"init/{init}/{name}", program=program, rules=RULES)


@dataclass(frozen=True, kw_only=True)
class EnableInitScript(Action):
    """Make the init system run our script at every boot; with `now` it is also started.

    The script itself is written by another action.
    """

    kind: ClassVar[str] = "enable-init-script"
    key_template: ClassVar[str] = "init-script:{name}"
    init: Init
    name: Name = "mstunnel"
    now: bool = False

    @override
    def describe(self) -> str:
        also = text("start and ") if self.now else ""
        return text(
            "{also}enable {name} at boot (`{enable}`)",
            also=also,
            name=path(self.name),
            enable=" ".join(self._enable),
        )

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether it is enabled, and with `now` running."""
        return self._linked(host) and (not self.now or self._runs(host))

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Enable it with the program of the init system. Raises StepError `init-script-refused`."""
        commands = [self._enable, *([(path(self.name), "start")] if self.now else [])]
        for command in commands:
            try:
                host.processes.run(command, timeout=_SECONDS)
            except ProcessError as error:
                raise StepError(
                    "init-script-refused",
                    "the init system of this host rejects {name}: {reason}",
                    hint="Run `{command}` to find the cause.",
                    name=path(self.name),
                    reason=error.message,
                    command=" ".join(command),
                ) from error
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Stop and disable it with the program of the init system; the links are kept when that fails."""
        if self.now and host.files.state(path(self.name)) is not None:
            with suppress(ProcessError):  # the links are removed even if stopping hangs
                host.processes.run((path(self.name), "stop"), timeout=_SECONDS)
        if not self._linked(host):
            return Undone(Undo.ABSENT)
        try:
            host.processes.run(self._disable, timeout=_SECONDS)
        except ProcessError as error:
            return Undone(Undo.KEPT, f"the links to {path(self.name)}: {error.message}")
        return Undone(Undo.REMOVED)

    @property
    def _enable(self) -> tuple[str, ...]:
        if self.init == "openrc":
            return ("rc-update", "add", self.name, "default")
        return ("update-rc.d", self.name, "defaults")

    @property
    def _disable(self) -> tuple[str, ...]:
        if self.init == "openrc":
            return ("rc-update", "del", self.name, "default")
        return ("update-rc.d", "-f", self.name, "remove")

    def _runs(self, host: Host) -> bool:
        return host.processes.run((path(self.name), "status"), timeout=_SECONDS, check=False).code == 0

    def _linked(self, host: Host) -> bool:
        """Whether there is a link; those of System V have the prefix S and two digits (update-rc.d(8))."""
        directory = _LINKS[self.init]
        names = host.files.names(directory) if host.files.state(directory) is not None else ()
        return any(name == self.name or (name[:1] == "S" and name[3:] == self.name) for name in names)


def at_boot(init: Init, name: Name, program: str, *, now: bool = False) -> Sequence[Action]:
    """The actions that write and enable the script."""
    script = WriteFile(path=path(name), text=script_text(init, name, program), mode=0o755)
    return (script, EnableInitScript(init=init, name=name, now=now))
