"""The folders that containers of ours write into."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles, MakeDirectory


@dataclass(frozen=True, kw_only=True)
class MakeStateDirectory(MakeDirectory):
    """Create a directory whose files are all a container's own, so undo removes them with it."""

    kind: ClassVar[str] = "make-state-directory"

    def describe(self) -> str:
        """What will be done."""
        return f"create folder {self.path} for what the container has to tell"

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the files and the directory; a folder in it is somebody else's and is kept."""
        for name in world.files.names(self.path):
            state = world.files.state(f"{self.path}/{name}")
            if state is not None and state.kind == "file":
                world.files.remove(f"{self.path}/{name}")
        return super().undo(world, record)
