"""The directories that our containers write into."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles, MakeDirectory


@dataclass(frozen=True, kw_only=True)
class MakeStateDirectory(MakeDirectory):
    """Create a directory for a container's state; undo removes it with its content."""

    kind: ClassVar[str] = "make-state-directory"

    def describe(self) -> str:
        """What will be done."""
        return f"create directory {self.path} for the state of the container"

    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the directory with its content; links are not followed."""
        ports.files.empty(self.path)
        return super().undo(ports, record)
