"""Directories that belong to a less privileged user: the service account, or the agent."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.io import accounts
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

_ROOT = 0


@dataclass(frozen=True, kw_only=True)
class GivenDirectory(Action[HasFiles]):
    """Create the directory `path` if it is missing, and change the owner of it and its content.

    Only for directories of settings: the storage of containers belongs to many users.
    """

    path: str

    @property
    @override
    def key(self) -> str:
        return f"folder:{self.path}"

    @abstractmethod
    def owner(self) -> tuple[int, int]:
        """The new user and group id. Raises StepError when there are none yet."""

    @override
    def satisfied(self, ports: HasFiles, outputs: Outputs) -> bool:
        state = ports.files.state(self.path)
        return state is not None and state.uid == self.owner()[0]

    def capture(self, ports: HasFiles) -> JsonObject:
        """The earlier owner; None when it is created now."""
        state = ports.files.state(self.path)
        return {"uid": None if state is None else state.uid, "gid": None if state is None else state.gid}

    @override
    def apply(self, ports: HasFiles, outputs: Outputs) -> JsonObject:
        uid, gid = self.owner()
        if ports.files.state(self.path) is None:
            ports.files.make_directory(self.path, 0o755)
        ports.files.give(self.path, uid, gid)
        return {}

    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove it when it is empty; else restore the owner, or root: the account may be removed next."""
        uid, gid = record.before["uid"], record.before["gid"]
        if ports.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if uid is None and ports.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        ports.files.give(self.path, int(str(uid or _ROOT)), int(str(gid or _ROOT)))
        if uid is None:
            return Undone(Undo.KEPT, f"{self.path} contains files that mstunnel-setup did not write")
        return Undone(Undo.RESTORED)


@dataclass(frozen=True, kw_only=True)
class GiveDirectory(GivenDirectory):
    """Give a directory to the service account `account`."""

    kind: ClassVar[str] = "give-folder"
    account: str

    @override
    def describe(self) -> str:
        return text("give the directory {path} to {account}", path=self.path, account=self.account)

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

    def satisfied(self, ports: HasFiles, outputs: Outputs) -> bool:
        """Whether the account exists and owns it."""
        return accounts.find(self.account) is not None and super().satisfied(ports, outputs)
