"""Configuration of a unit that is not ours: a drop-in, or the configuration of an engine."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.ports import HasUnits
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles


@dataclass(frozen=True, kw_only=True)
class ConfigureUnit(Action[HasUnits]):
    """Write the file `path` that `unit` reads, and restart the unit if it runs."""

    kind: ClassVar[str] = "configure-unit"
    unit: str
    path: str
    text: str
    mode: int = 0o644

    @property
    def key(self) -> str:
        """The path."""
        return f"unit-file:{self.path}"

    @property
    def file(self) -> WriteFile:
        """The file part of this action."""
        return WriteFile(path=self.path, text=self.text, mode=self.mode)

    def describe(self) -> str:
        """What will be done."""
        return text("write {path} and apply it to {unit}", path=self.path, unit=self.unit)

    def satisfied(self, ports: HasUnits, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self.file.satisfied(ports, outputs)

    def capture(self, ports: HasUnits) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(ports)

    def apply(self, ports: HasUnits, outputs: Outputs) -> JsonObject:
        """Write it, reload systemd and restart the unit."""
        self.file.apply(ports, outputs)
        self._follow(ports)
        return {}

    def undo(self, ports: HasUnits, record: UndoRecord[HasUnits]) -> Undone:
        """Restore the earlier file, unless others have changed it since.

        Also with no file left the unit follows: an undo may have been interrupted before that.
        """
        undone = self.file.undo(ports, _of_file(record))
        if undone.outcome is not Undo.KEPT:
            self._follow(ports)
        return undone

    def changed(self, ports: HasUnits, record: UndoRecord[HasUnits]) -> str:
        """An edit of the file by others; a removed file is written again without asking."""
        return self.file.changed(ports, _of_file(record))

    def _follow(self, ports: HasUnits) -> None:
        if not ports.systemd.running():
            return
        ports.systemd.daemon_reload()
        if ports.systemd.active(self.unit):
            ports.systemd.restart(self.unit)


def _of_file(record: UndoRecord[HasUnits]) -> UndoRecord[HasFiles]:
    versions = [version.file for version in record.versions if isinstance(version, ConfigureUnit)]
    return UndoRecord(record.before, versions, record.outputs)
