"""A file that counts once a program of the host has read it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import PlacedFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class LoadedFile(Action):
    """Write the file `path` and have `loader` (program and arguments) read it, as it does at each boot.

    What the program refuses now, or cannot do because it was uninstalled, stops no installation.
    """

    loader: ClassVar[tuple[str, ...]]
    path: str

    @property
    @abstractmethod
    def file(self) -> PlacedFile:
        """The file part of this action."""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self.file.satisfied(host, outputs)

    def capture(self, host: Host) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(host)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the file and have it read."""
        self.file.apply(host, outputs)
        self._load(host)
        return {}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier file, unless others have changed it since, and have what is left read.

        Also with no file left: an undo may have been interrupted before that.
        """
        undone = self.file.undo(host, _of_file(record))
        if undone.outcome is not Undo.KEPT:
            self._load(host)
        return undone

    def changed(self, host: Host, record: UndoRecord) -> str:
        """An edit of the file by others; a removed file is written again without asking."""
        return self.file.changed(host, _of_file(record))

    def _load(self, host: Host) -> None:
        if host.processes.find(self.loader[0]) is not None:
            host.processes.run(self.loader, timeout=_SECONDS, check=False)


def _of_file(record: UndoRecord) -> UndoRecord:
    versions = [version.file for version in record.versions if isinstance(version, LoadedFile)]
    return UndoRecord(record.before, versions, record.outputs)
