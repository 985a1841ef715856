"""A folder that the agent may write into."""

from dataclasses import dataclass
from typing import ClassVar, Final

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

    def owner(self) -> tuple[int, int]:
        """The agent's number."""
        return AGENT_USER, _UNCHANGED
