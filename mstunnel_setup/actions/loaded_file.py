"""A file that counts once a program of the host has read it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import PlacedFile
from mstunnel_setup.actions.ports import HasProcesses
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class LoadedFile(Action[HasProcesses]):
    """Write the file `path` and have `loader` (program and arguments) read it, as it does at each boot.

    What the program refuses now, or cannot do because it was uninstalled, stops no installation.
    """

    loader: ClassVar[tuple[str, ...]]
    path: str

    @property
    @abstractmethod
    def file(self) -> PlacedFile[HasFiles]:
        """The file part of this action."""

    @override
    def satisfied(self, ports: HasProcesses, outputs: Outputs) -> bool:
        return self.file.satisfied(ports, outputs)

    def capture(self, ports: HasProcesses) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(ports)

    @override
    def apply(self, ports: HasProcesses, outputs: Outputs) -> JsonObject:
        """Write the file and have it read."""
        self.file.apply(ports, outputs)
        self._load(ports)
        return {}

    def undo(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> Undone:
        """Restore the earlier file, unless others have changed it since, and have what is left read.

        Also with no file left: an undo may have been interrupted before that.
        """
        undone = self.file.undo(ports, _of_file(record))
        if undone.outcome is not Undo.KEPT:
            self._load(ports)
        return undone

    def changed(self, ports: HasProcesses, record: UndoRecord[HasProcesses]) -> str:
        """An edit of the file by others; a removed file is written again without asking."""
        return self.file.changed(ports, _of_file(record))

    def _load(self, ports: HasProcesses) -> None:
        if ports.processes.find(self.loader[0]) is not None:
            ports.processes.run(self.loader, timeout=_SECONDS, check=False)


def _of_file(record: UndoRecord[HasProcesses]) -> UndoRecord[HasFiles]:
    versions = [version.file for version in record.versions if isinstance(version, LoadedFile)]
    return UndoRecord(record.before, versions, record.outputs)
