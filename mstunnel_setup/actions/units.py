"""Configuration of a unit that is not ours: a drop-in, or the configuration of an engine."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class ConfigureUnit(Action):
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
        return f"write {self.path} and apply it to {self.unit}"

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self.file.satisfied(host, outputs)

    def capture(self, host: Host) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(host)

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write it, reload systemd and restart the unit."""
        self.file.apply(host, outputs)
        self._follow(host)
        return {}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier file, unless others have changed it since.

        Also with no file left the unit follows: an undo may have been interrupted before that.
        """
        undone = self.file.undo(host, _of_file(record))
        if undone.outcome is not Undo.KEPT:
            self._follow(host)
        return undone

    def changed(self, host: Host, record: UndoRecord) -> str:
        """An edit of the file by others; a removed file is written again without asking."""
        return self.file.changed(host, _of_file(record))

    def _follow(self, host: Host) -> None:
        if not host.systemd.running():
            return
        host.systemd.daemon_reload()
        if host.systemd.active(self.unit):
            host.systemd.restart(self.unit)


def _of_file(record: UndoRecord) -> UndoRecord:
    versions = [version.file for version in record.versions if isinstance(version, ConfigureUnit)]
    return UndoRecord(record.before, versions, record.outputs)
