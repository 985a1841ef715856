"""A directory that the agent can write to."""

from dataclasses import dataclass
from typing import ClassVar, Final

from mstunnel_setup.actions.directory import GivenDirectory
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.paths import AGENT_USER
from mstunnel_setup.transaction.action import Undone, UndoRecord

# The group is not changed.
_UNCHANGED: Final = -1


@dataclass(frozen=True, kw_only=True)
class GiveToAgent(GivenDirectory):
    """Give a directory to the agent, whose user id no account of this host has."""

    kind: ClassVar[str] = "give-to-agent"

    def describe(self) -> str:
        """What will be done."""
        return f"let the agent write to {self.path}"

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the content, links not followed, then the directory, or restore its owner."""
        host.files.empty(self.path)
        return super().undo(host, record)

    def owner(self) -> tuple[int, int]:
        """The agent's user id."""
        return AGENT_USER, _UNCHANGED
