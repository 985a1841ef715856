"""Directories of less privileged users: the service account, the agent, and the mailbox of agent and host."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.paths import AGENT_USER
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.io import accounts
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_ROOT = 0


@dataclass(frozen=True, kw_only=True)
class GivenDirectory(Action):
    """Create the directory `path` if it is missing, and change the owner of it and its content.

    Only for directories of settings: the storage of containers belongs to many users.
    """

    key_template: ClassVar[str] = "folder:{path}"
    path: str

    @abstractmethod
    def owner(self) -> tuple[int, int]:
        """The new user and group id. Raises StepError when there are none yet."""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        return state is not None and state.uid == self.owner()[0]

    def capture(self, host: Host) -> JsonObject:
        """The earlier owner; None when it is created now."""
        state = host.files.state(self.path)
        return {"uid": None if state is None else state.uid, "gid": None if state is None else state.gid}

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        uid, gid = self.owner()
        if host.files.state(self.path) is None:
            host.files.make_directory(self.path, 0o755)
        host.files.give(self.path, uid, gid)
        return {}

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove it when it is empty; else restore the owner, or root: the account may be removed next."""
        uid, gid = record.before["uid"], record.before["gid"]
        if host.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if uid is None and host.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        host.files.give(self.path, int(str(uid or _ROOT)), int(str(gid or _ROOT)))
        if uid is None:
            return Undone(Undo.KEPT, f"{self.path} contains files that mstunnel-setup did not write")
        return Undone(Undo.RESTORED)


@dataclass(frozen=True, kw_only=True)
class GiveDirectory(GivenDirectory):
    """Give a directory to the service account `account`."""

    kind: ClassVar[str] = "give-folder"
    description: ClassVar[str] = text("give the directory {path} to {account}")
    account: str

    def owner(self) -> tuple[int, int]:
        """The ids of the account. Raises StepError `account-missing`."""
        found = accounts.find(self.account)
        if found is None:
            raise StepError(
                "account-missing",
                "the account {name} does not exist",
                hint="Run mstunnel-setup again; it creates the account.",
                name=self.account,
            )
        return found.uid, found.gid

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the account exists and owns it."""
        return accounts.find(self.account) is not None and super().satisfied(host, outputs)


# The group is not changed.
_UNCHANGED: Final = -1


@dataclass(frozen=True, kw_only=True)
class GiveToAgent(GivenDirectory):
    """Give a directory to the agent, whose user id no account of this host has."""

    kind: ClassVar[str] = "give-to-agent"
    description: ClassVar[str] = text("let the agent write to {path}")

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the content, links not followed, then the directory, or restore its owner."""
        host.files.empty(self.path)
        return super().undo(host, record)

    def owner(self) -> tuple[int, int]:
        """The agent's user id."""
        return AGENT_USER, _UNCHANGED


_MAILBOX = (paths.MESSAGES, paths.INBOX, paths.OUTBOX)


@dataclass(frozen=True, kw_only=True)
class OpenMailbox(Action):
    """Create the directories for messages between agent and monitor."""

    kind: ClassVar[str] = "open-mailbox"
    key_template: ClassVar[str] = f"mailbox:{paths.MESSAGES}"

    @override
    def describe(self) -> str:
        return text("create the mailbox {messages}", messages=paths.MESSAGES)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        states = [host.files.state(directory) for directory in _MAILBOX]
        return all(state is not None and state.kind == "directory" for state in states)

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        for directory in _MAILBOX:
            host.files.make_directories(directory, 0o755)
        return {}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove the directories with the content of the inbox and the messages of the monitor.

        Other files are kept, and so are their directories.
        """
        if host.files.state(paths.MESSAGES) is None:
            return Undone(Undo.ABSENT)
        host.files.empty(paths.INBOX)
        for message in (*(kind.reply for kind in mailbox.KINDS), mailbox.OFFER, mailbox.SUMMARY):
            host.files.remove(message)
        gone = [
            host.files.state(directory) is None or host.files.remove_directory(directory)
            for directory in reversed(_MAILBOX)
        ]
        if all(gone):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{paths.MESSAGES} contains files that mstunnel-setup did not write")
