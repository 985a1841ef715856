"""A folder of the system that belongs to the service account."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.errors import StepError
from mstunnel_setup.host import accounts

_ROOT = 0


@dataclass(frozen=True, kw_only=True)
class GiveFolder(Action[HasFiles]):
    """Make the folder `path`, or take the one that is there, and give it to `account` with all that is in it.

    Only for folders of settings: containers' storage belongs to many users.
    """

    kind: ClassVar[str] = "give-folder"
    path: str
    account: str

    @property
    def key(self) -> str:
        """The path."""
        return f"folder:{self.path}"

    def describe(self) -> str:
        """What will be done."""
        return f"give the folder {self.path} to {self.account}"

    def satisfied(self, world: HasFiles, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether the account owns it."""
        state, owner = world.files.state(self.path), accounts.find(self.account)
        return state is not None and owner is not None and state.uid == owner.uid

    def capture(self, world: HasFiles) -> JsonObject:
        """Who owned it; nobody when it is made now."""
        state = world.files.state(self.path)
        return {"uid": None if state is None else state.uid, "gid": None if state is None else state.gid}

    def apply(self, world: HasFiles, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Make and give it. Raises StepError without the account."""
        owner = accounts.find(self.account)
        if owner is None:
            raise StepError("account-missing", f"there is no account {self.account}", "Run it again.")
        if world.files.state(self.path) is None:
            world.files.make_directory(self.path, 0o755)
        world.files.give(self.path, owner.uid, owner.gid)
        return {}

    def undo(self, world: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove it when it is empty; else give it back, or to root, for the account may be removed next."""
        uid, gid = record.before["uid"], record.before["gid"]
        if world.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if uid is None and world.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        world.files.give(self.path, int(str(uid or _ROOT)), int(str(gid or _ROOT)))
        if uid is None:
            return Undone(Undo.KEPT, f"{self.path} holds files that are not ours")
        return Undone(Undo.RESTORED)
