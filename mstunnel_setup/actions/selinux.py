"""The SELinux type of a TCP port."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.errors import SELINUX_UNREADABLE
from mstunnel_setup.actions.ports import HasProcesses
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

PROXY_TYPE = "http_port_t"
_SECONDS = 600.0
_CELLS = 3


@dataclass(frozen=True, kw_only=True)
class LabelPort(Action[HasProcesses]):
    """Set the SELinux type of a TCP port to that of web servers; undo restores it (semanage-port(8))."""

    kind: ClassVar[str] = "label-port"
    port: int

    @property
    @override
    def key(self) -> str:
        return f"selinux-port:{self.port}"

    @override
    def describe(self) -> str:
        return text(
            "set the SELinux type of TCP port {port} to {proxy_type}", port=self.port, proxy_type=PROXY_TYPE
        )

    @override
    def satisfied(self, ports: HasProcesses, outputs: Outputs) -> bool:
        """Whether a local rule already sets it."""
        return self._local_type(ports) == PROXY_TYPE

    def capture(self, ports: HasProcesses) -> JsonObject:
        """The type in a local rule for the port, if there is one."""
        return {"type": self._local_type(ports)}

    @override
    def apply(self, ports: HasProcesses, outputs: Outputs) -> JsonObject:
        """Add a local rule, or change the existing one. Raises StepError `selinux-refused`."""
        if self._semanage(ports, "-a", "-t", PROXY_TYPE) != 0:
            self._must(ports, "-m", "-t", PROXY_TYPE)
        return {}

    def undo(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Remove our rule, or restore the earlier local one; the rules of the policy apply again.

        Raises StepError `selinux-refused`.
        """
        if self._local_type(ports) != PROXY_TYPE:
            return Undone(Undo.ABSENT)
        before = record.before["type"]
        if before == PROXY_TYPE:
            return Undone(Undo.ABSENT)
        if isinstance(before, str):
            self._must(ports, "-m", "-t", before)
            return Undone(Undo.RESTORED)
        self._must(ports, "-d")
        return Undone(Undo.REMOVED)

    def _must(self, ports: HasProcesses, *options: str) -> None:
        if self._semanage(ports, *options) != 0:
            raise StepError(
                "selinux-refused",
                "cannot change the SELinux type of port {port}",
                hint="Run `{command}` to find the cause.",
                port=self.port,
                command=" ".join(self._command(*options)),
            )

    def _semanage(self, ports: HasProcesses, *options: str) -> int:
        """The exit code."""
        return ports.processes.run(self._command(*options), timeout=_SECONDS, check=False).code

    def _command(self, *options: str) -> list[str]:
        return ["semanage", "port", *options, "-p", "tcp", str(self.port)]

    def _local_type(self, ports: HasProcesses) -> str | None:
        """The type of the local rule for exactly this port; None without one."""
        return next((kind for kind, *port in _local_rows(ports) if port == ["tcp", str(self.port)]), None)


def _local_rows(ports: HasProcesses) -> list[list[str]]:
    """Every local rule: type, protocol, ports; below the head of the table, where there are any.

    Raises StepError `selinux-unreadable`.
    """
    try:
        listed = ports.processes.run(["semanage", "port", "-l", "-C"], timeout=_SECONDS)
    except ProcessError as error:
        raise SELINUX_UNREADABLE(reason=error.message) from error
    rows = [line.split(None, _CELLS - 1) for line in listed.output.splitlines() if line.strip()]
    if any(len(row) != _CELLS for row in rows):
        raise SELINUX_UNREADABLE(reason=text("`semanage port -l -C` printed an unknown format"))
    return [[cell.strip() for cell in row] for row in rows]
