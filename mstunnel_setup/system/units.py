"""Configuration of a unit that is not ours: a drop-in, or the configuration of an engine."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.file_actions import WriteFile
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.system.world import HasUnits


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
        return f"write {self.path} and apply it to {self.unit}"

    def satisfied(self, world: HasUnits, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self.file.satisfied(world, outputs)

    def capture(self, world: HasUnits) -> JsonObject:
        """Save the current file, if there is one."""
        return self.file.capture(world)

    def apply(self, world: HasUnits, outputs: Outputs) -> JsonObject:
        """Write it, reload systemd and restart the unit."""
        self.file.apply(world, outputs)
        self._follow(world)
        return {}

    def undo(self, world: HasUnits, record: UndoRecord[HasUnits]) -> Undone:
        """Restore the earlier file, unless others have changed it since."""
        versions = [version.file for version in record.versions if isinstance(version, ConfigureUnit)]
        undone = self.file.undo(world, UndoRecord(record.before, versions, record.outputs))
        if undone.outcome in (Undo.REMOVED, Undo.RESTORED):
            self._follow(world)
        return undone

    def _follow(self, world: HasUnits) -> None:
        if not world.systemd.running():
            return
        world.systemd.daemon_reload()
        if world.systemd.active(self.unit):
            world.systemd.restart(self.unit)
