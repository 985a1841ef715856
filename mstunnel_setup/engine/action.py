"""An action: one small reversible effect, described as data.

`World` is whatever ports an action needs; the engine only hands it through.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from mstunnel_setup.engine.errors import JOURNAL_NEWER
from mstunnel_setup.engine.values import JsonObject, Outputs

World = TypeVar("World", contravariant=True)


class Undo(StrEnum):
    """What became of an action that was undone."""

    REMOVED = "removed"
    RESTORED = "restored"
    KEPT = "kept"
    ABSENT = "absent"


@dataclass(frozen=True)
class Undone:
    """The outcome of an undo; `reason` says why something was kept."""

    outcome: Undo
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Action(ABC, Generic[World]):
    """One reversible effect. Subclasses are frozen dataclasses of JSON-like fields.

    Applying an action again after it was cut off anywhere must end in the same place.
    """

    kind: ClassVar[str]
    # Rests on objects that may be newer than itself: it is undone before
    # whatever was there when it was last begun.
    depends_on_newer: ClassVar[bool] = False

    @property
    @abstractmethod
    def key(self) -> str:
        """The object this action is about; two actions with the same key are versions of one object."""

    @abstractmethod
    def describe(self) -> str:
        """What will be done, in one line, for people."""

    @abstractmethod
    def satisfied(self, world: World, outputs: Outputs) -> bool:
        """Whether the world already is as this action would leave it."""

    @abstractmethod
    def capture(self, world: World) -> JsonObject:
        """What undo will need to know of the time before; recorded before `apply`."""

    def resolved(self, outputs: Outputs) -> "Action[World]":  # noqa: ARG002 (most refer to nothing)
        """The action as the journal keeps it: what it refers to may be another later, or gone."""
        return self

    @abstractmethod
    def apply(self, world: World, outputs: Outputs) -> JsonObject:
        """Do it. Returns results that other actions may refer to."""

    @abstractmethod
    def undo(self, world: World, record: "UndoRecord[World]") -> Undone:
        """Take it back, also when it was cut off half done. What somebody else changed since is kept."""

    def changed(self, world: World, record: "UndoRecord[World]") -> str:  # noqa: ARG002 (not every object can tell)
        """What somebody else did to the object since we last touched it, and this action would overwrite.

        Empty when there is nothing of theirs to lose. `record` holds the earlier versions and this one.
        """
        return ""


@dataclass(frozen=True)
class UndoRecord(Generic[World]):
    """What the journal knows of the object of one action.

    `before` is what the first `capture` saw, `versions` all actions applied to it (oldest first), `outputs`
    the results of all finished actions.
    """

    before: JsonObject
    versions: Sequence[Action[World]] = ()
    outputs: Outputs = field(default_factory=dict)


class Codec:
    """Turns actions into journal data and back. `kinds` are all known action classes."""

    def __init__(self, kinds: Iterable[type[Action[Any]]]) -> None:
        self._kinds: Mapping[str, type[Action[Any]]] = {kind.kind: kind for kind in kinds}

    def dump(self, action: Action[Any]) -> JsonObject:
        """The action as JSON data."""
        data = _adapter(type(action)).dump_python(action, mode="json")
        return {"kind": action.kind, **data}

    def load(self, data: JsonObject) -> Action[Any]:
        """The action that `dump` made the data from.

        Raises StepError for a kind or fields this version does not know.
        """
        fields = dict(data)
        kind = self._kinds.get(str(fields.pop("kind", "")))
        try:
            if kind is not None:
                return cast("Action[Any]", _adapter(kind).validate_python(fields))
        except ValidationError:
            pass
        raise JOURNAL_NEWER(data=data.get("kind"))


@cache
def _adapter(kind: type[Action[Any]]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
