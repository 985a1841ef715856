"""A directory that the agent can write to."""

from dataclasses import dataclass
from typing import ClassVar, Final

from mstunnel_setup.actions.directory import GivenDirectory
from mstunnel_setup.base.paths import AGENT_USER
from mstunnel_setup.base.text import text
from mstunnel_setup.transaction.action import Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

# The group is not changed.
_UNCHANGED: Final = -1


@dataclass(frozen=True, kw_only=True)
class GiveToAgent(GivenDirectory):
    """Give a directory to the agent, whose user id no account of this host has."""

    kind: ClassVar[str] = "give-to-agent"

    def describe(self) -> str:
        """What will be done."""
        return text("let the agent write to {path}", path=self.path)

    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the content, links not followed, then the directory, or restore its owner."""
        ports.files.empty(self.path)
        return super().undo(ports, record)

    def owner(self) -> tuple[int, int]:
        """The agent's user id."""
        return AGENT_USER, _UNCHANGED
