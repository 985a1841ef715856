"""The SELinux type of a TCP port."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.errors import StepError
from mstunnel_setup.host.process import ProcessError
from mstunnel_setup.system.errors import SELINUX_REFUSED, SELINUX_UNREADABLE
from mstunnel_setup.system.world import HasProcesses

PROXY_TYPE = "http_port_t"
_SECONDS = 600.0
_CELLS = 3


@dataclass(frozen=True, kw_only=True)
class LabelPort(Action[HasProcesses]):
    """Give a TCP port the type of web proxies. Undo gives it back the type it had (semanage-port(8))."""

    kind: ClassVar[str] = "label-port"
    port: int

    @property
    def key(self) -> str:
        """The port."""
        return f"selinux-port:{self.port}"

    def describe(self) -> str:
        """What will be done."""
        return f"give TCP port {self.port} the SELinux type {PROXY_TYPE}"

    def satisfied(self, world: HasProcesses, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether an administrator's rule, or ours, already says so."""
        return self._local_type(world) == PROXY_TYPE

    def capture(self, world: HasProcesses) -> JsonObject:
        """The type that a local rule gives the port, if there is one."""
        return {"type": self._local_type(world)}

    def apply(self, world: HasProcesses, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Add a local rule, or change the one there is. Raises StepError `selinux-refused`."""
        if self._semanage(world, "-a", "-t", PROXY_TYPE) != 0:
            self._must(world, "-m", "-t", PROXY_TYPE)
        return {}

    def undo(self, world: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Remove our rule, or put the earlier local one back; the policy's own rules show again.

        Raises StepError `selinux-refused`.
        """
        if self._local_type(world) != PROXY_TYPE:
            return Undone(Undo.ABSENT)
        before = record.before["type"]
        if before == PROXY_TYPE:
            return Undone(Undo.ABSENT)
        if isinstance(before, str):
            self._must(world, "-m", "-t", before)
            return Undone(Undo.RESTORED)
        self._must(world, "-d")
        return Undone(Undo.REMOVED)

    def _must(self, world: HasProcesses, *options: str) -> None:
        if self._semanage(world, *options) != 0:
            raise SELINUX_REFUSED(port=self.port, value=" ".join(self._command(*options)))

    def _semanage(self, world: HasProcesses, *options: str) -> int:
        """The exit code."""
        return world.processes.run(self._command(*options), timeout=_SECONDS, check=False).code

    def _command(self, *options: str) -> list[str]:
        return ["semanage", "port", *options, "-p", "tcp", str(self.port)]

    def _local_type(self, world: HasProcesses) -> str | None:
        """The type of the local rule for exactly this port; None without one."""
        return next((kind for kind, *port in _local_rows(world) if port == ["tcp", str(self.port)]), None)


def _local_rows(world: HasProcesses) -> list[list[str]]:
    """Every local rule: type, protocol, ports; below the head of the table, where there are any.

    Raises StepError `selinux-unreadable`.
    """
    try:
        told = world.processes.run(["semanage", "port", "-l", "-C"], timeout=_SECONDS)
    except ProcessError as error:
        raise _unreadable(error.message) from error
    rows = [line.split(None, _CELLS - 1) for line in told.output.splitlines() if line.strip()]
    if any(len(row) != _CELLS for row in rows):
        raise _unreadable("`semanage port -l -C` printed something else")
    return [[cell.strip() for cell in row] for row in rows]


def _unreadable(why: str) -> StepError:
    return SELINUX_UNREADABLE(why=why)
