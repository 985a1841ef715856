"""Folders of the system that belong to somebody with fewer rights: the service account, or the agent."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.errors import StepError
from mstunnel_setup.host import accounts

_ROOT = 0


@dataclass(frozen=True, kw_only=True)
class GivenFolder(Action[HasFiles]):
    """Make the folder `path`, or take the one that is there, and give it away with all that is in it.

    Only for folders of settings: containers' storage belongs to many users.
    """

    path: str

    @property
    def key(self) -> str:
        """The path."""
        return f"folder:{self.path}"

    @abstractmethod
    def owner(self) -> tuple[int, int]:
        """Numbers of the user and the group to give it to. Raises StepError when there are none yet."""

    def satisfied(self, world: HasFiles, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether that user owns it."""
        state = world.files.state(self.path)
        return state is not None and state.uid == self.owner()[0]

    def capture(self, world: HasFiles) -> JsonObject:
        """Who owned it; nobody when it is made now."""
        state = world.files.state(self.path)
        return {"uid": None if state is None else state.uid, "gid": None if state is None else state.gid}

    def apply(self, world: HasFiles, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Make and give it."""
        uid, gid = self.owner()
        if world.files.state(self.path) is None:
            world.files.make_directory(self.path, 0o755)
        world.files.give(self.path, uid, gid)
        return {}

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove it when it is empty; else give it back, or to root, for an account may be removed next."""
        uid, gid = record.before["uid"], record.before["gid"]
        if world.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if uid is None and world.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        world.files.give(self.path, int(str(uid or _ROOT)), int(str(gid or _ROOT)))
        if uid is None:
            return Undone(Undo.KEPT, f"{self.path} holds files that are not ours")
        return Undone(Undo.RESTORED)


@dataclass(frozen=True, kw_only=True)
class GiveFolder(GivenFolder):
    """Give a folder to the service account `account`."""

    kind: ClassVar[str] = "give-folder"
    account: str

    def describe(self) -> str:
        """What will be done."""
        return f"give the folder {self.path} to {self.account}"

    def owner(self) -> tuple[int, int]:
        """The account's numbers. Raises StepError without the account."""
        found = accounts.find(self.account)
        if found is None:
            raise StepError("account-missing", f"there is no account {self.account}", "Run it again.")
        return found.uid, found.gid

    def satisfied(self, world: HasFiles, outputs: Outputs) -> bool:
        """Whether the account is there, and owns it."""
        return accounts.find(self.account) is not None and super().satisfied(world, outputs)
