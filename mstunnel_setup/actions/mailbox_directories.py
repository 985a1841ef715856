"""The action that creates the directories of the mailbox."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

_DIRECTORIES = (paths.MESSAGES, paths.INBOX, paths.OUTBOX)


@dataclass(frozen=True, kw_only=True)
class OpenMailbox(Action[HasFiles]):
    """Create the directories for messages between agent and monitor."""

    kind: ClassVar[str] = "open-mailbox"

    @property
    @override
    def key(self) -> str:
        return f"mailbox:{paths.MESSAGES}"

    @override
    def describe(self) -> str:
        return text("create the mailbox {messages}", messages=paths.MESSAGES)

    @override
    def satisfied(self, ports: HasFiles, outputs: Outputs) -> bool:
        states = [ports.files.state(directory) for directory in _DIRECTORIES]
        return all(state is not None and state.kind == "directory" for state in states)

    @override
    def apply(self, ports: HasFiles, outputs: Outputs) -> JsonObject:
        for directory in _DIRECTORIES:
            ports.files.make_directories(directory, 0o755)
        return {}

    @override
    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove the directories with the content of the inbox and the messages of the monitor.

        Other files are kept, and so are their directories.
        """
        if ports.files.state(paths.MESSAGES) is None:
            return Undone(Undo.ABSENT)
        ports.files.empty(paths.INBOX)
        for message in (mailbox.ANSWER, mailbox.OFFER, mailbox.SUMMARY, paths.CONFIGURATION_VERDICT):
            ports.files.remove(message)
        gone = [
            ports.files.state(directory) is None or ports.files.remove_directory(directory)
            for directory in reversed(_DIRECTORIES)
        ]
        if all(gone):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{paths.MESSAGES} contains files that mstunnel-setup did not write")
