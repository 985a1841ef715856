"""A folder that the agent may write into."""

from dataclasses import dataclass
from typing import ClassVar, Final

from mstunnel_setup.engine.action import Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.paths import AGENT_USER
from mstunnel_setup.system.folder import GivenFolder

# What its files have as group stays as it is.
_UNCHANGED: Final = -1


@dataclass(frozen=True, kw_only=True)
class GiveToAgent(GivenFolder):
    """Give a folder to the agent, which is nobody else on this host."""

    kind: ClassVar[str] = "give-to-agent"

    def describe(self) -> str:
        """What will be done."""
        return f"let the agent write into {self.path}"

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove whatever the agent has put there, links not followed, then the folder, or give it back."""
        world.files.empty(self.path)
        return super().undo(world, record)

    def owner(self) -> tuple[int, int]:
        """The agent's number."""
        return AGENT_USER, _UNCHANGED
