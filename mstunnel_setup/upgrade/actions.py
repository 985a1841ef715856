"""The folders of the mailbox, as an action: whatever lies in them when they go is ours."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.upgrade import mailbox

_FOLDERS = (paths.MESSAGES, paths.INBOX, paths.OUTBOX)


@dataclass(frozen=True, kw_only=True)
class OpenMailbox(Action[HasFiles]):
    """Make the folders through which agent and monitor talk."""

    kind: ClassVar[str] = "open-mailbox"

    @property
    def key(self) -> str:
        """There is one mailbox."""
        return f"mailbox:{paths.MESSAGES}"

    def describe(self) -> str:
        """What will be done."""
        return f"create the mailbox {paths.MESSAGES}"

    def satisfied(self, world: HasFiles, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether all folders are there."""
        states = [world.files.state(folder) for folder in _FOLDERS]
        return all(state is not None and state.kind == "directory" for state in states)

    def capture(self, world: HasFiles) -> JsonObject:  # noqa: ARG002
        """Nothing stood there before."""
        return {}

    def apply(self, world: HasFiles, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Create them."""
        for folder in _FOLDERS:
            world.files.make_directories(folder, 0o755)
        return {}

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:  # noqa: ARG002
        """Remove the folders: all that the agent has put into its own, and the messages of the monitor.

        What an administrator put beside those stays, and the folders with it.
        """
        if world.files.state(paths.MESSAGES) is None:
            return Undone(Undo.ABSENT)
        world.files.empty(paths.INBOX)
        for message in (mailbox.ANSWER, mailbox.OFFER, mailbox.SUMMARY, paths.CONFIGURATION_VERDICT):
            world.files.remove(message)
        gone = [_gone(world, folder) for folder in reversed(_FOLDERS)]
        if all(gone):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{paths.MESSAGES} holds files that are not ours")


def _gone(world: HasFiles, folder: str) -> bool:
    return world.files.state(folder) is None or world.files.remove_directory(folder)
