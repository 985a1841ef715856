"""The folders that containers of ours write into."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles, MakeDirectory


@dataclass(frozen=True, kw_only=True)
class MakeStateDirectory(MakeDirectory):
    """Create a directory in which all is a container's own, so undo removes that with it."""

    kind: ClassVar[str] = "make-state-directory"

    def describe(self) -> str:
        """What will be done."""
        return f"create folder {self.path} for what the container has to tell"

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the directory with whatever the container has put into it; links are not followed."""
        world.files.empty(self.path)
        return super().undo(world, record)
