"""Rules of the kernel's audit, which auditd loads at boot and augenrules(8) now."""

from dataclasses import dataclass
from typing import ClassVar, Final

from typing_extensions import override

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.file_actions import WriteFile
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.system.ports import HasProcesses

LOADER: Final = "augenrules"
_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class WriteAuditRules(Action[HasProcesses]):
    """Write the audit rules `path` and load all rules of the host.

    Rules that are locked, or refused because of others', come into force at the next boot: auditing is no
    condition of a gateway.
    """

    kind: ClassVar[str] = "write-audit-rules"
    path: str
    text: str

    @property
    @override
    def key(self) -> str:
        return f"audit:{self.path}"

    @property
    def file(self) -> WriteFile:
        """The file part of this action; only root reads what is watched."""
        return WriteFile(path=self.path, text=self.text, mode=0o640)

    @override
    def describe(self) -> str:
        return f"write the audit rules {self.path} and load them"

    @override
    def satisfied(self, ports: HasProcesses, outputs: Outputs) -> bool:
        return self.file.satisfied(ports, outputs)

    def capture(self, ports: HasProcesses) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(ports)

    @override
    def apply(self, ports: HasProcesses, outputs: Outputs) -> JsonObject:
        """Write the file and load the rules."""
        self.file.apply(ports, outputs)
        _load(ports)
        return {}

    def undo(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Restore the earlier file, unless others have changed it since, and load what is left."""
        versions = [version.file for version in record.versions if isinstance(version, WriteAuditRules)]
        undone = self.file.undo(ports, UndoRecord(record.before, versions, record.outputs))
        if undone.outcome in (Undo.REMOVED, Undo.RESTORED):
            _load(ports)
        return undone


def _load(ports: HasProcesses) -> None:
    """Load them, unless auditing was uninstalled meanwhile."""
    if ports.processes.find(LOADER) is not None:
        ports.processes.run([LOADER, "--load"], timeout=_SECONDS, check=False)
