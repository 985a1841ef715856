"""An action: one small reversible effect, described as data.

What it acts on is the host, which the runner only passes on: it knows nothing of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from string import Formatter
from typing import Any, ClassVar, dataclass_transform

from pydantic import TypeAdapter
from typing_extensions import override

from mstunnel_setup.base.text import sentence, text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.transaction.errors import JOURNAL_NEWER


class Undo(StrEnum):
    """The result of undoing an action."""

    REMOVED = "removed"
    RESTORED = "restored"
    KEPT = "kept"
    ABSENT = "absent"


@dataclass(frozen=True)
class Undone:
    """The outcome of an undo; `reason` is why something was kept."""

    outcome: Undo
    reason: str = ""


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Action(ABC):
    """One reversible effect. Every subclass becomes a frozen dataclass; its fields are JSON-like.

    Applying an action again after an interruption at any point must give the same result.
    """

    kind: ClassVar[str]
    # Templates of `key` and `describe`, filled in with attributes; a class may compute either instead.
    key_template: ClassVar[str]
    description: ClassVar[str]
    # Depends on objects that may be newer than itself, so it is undone before
    # everything that existed when it was last begun.
    depends_on_newer: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)

    @property
    def key(self) -> str:
        """The object that this action changes; actions with the same key are versions of one object."""
        return self.key_template.format_map(self._named_in(self.key_template))

    def describe(self) -> str:
        """What the action does, in one line, for people."""
        return sentence(self.description, self._named_in(self.description))

    def _named_in(self, template: str) -> dict[str, Any]:
        """The attributes that a template names."""
        names = [name.partition(".")[0] for _, name, _, _ in Formatter().parse(template) if name]
        return {name: getattr(self, name) for name in names}

    @abstractmethod
    def satisfied(self, host: Any, outputs: Outputs) -> bool:
        """Whether the effect is already there."""

    def capture(self, host: Any) -> JsonObject:  # noqa: ARG002 (most have nothing to restore)
        """The earlier state that `undo` restores, recorded before `apply`; by default there is none."""
        return {}

    def resolved(self, outputs: Outputs) -> "Action":  # noqa: ARG002 (most refer to nothing)
        """The action as the journal keeps it, with the outputs that it refers to filled in."""
        return self

    def clear_attempt(self, host: Any) -> None:  # noqa: B027 (most have nothing to do)
        """Remove what an interrupted attempt left that `apply` and `undo` cannot work on; mostly nothing."""

    @abstractmethod
    def apply(self, host: Any, outputs: Outputs) -> JsonObject | None:
        """Do it. Returns outputs that other actions may refer to, if there are any."""

    @abstractmethod
    def undo(self, host: Any, record: "UndoRecord") -> Undone:
        """Undo it, also when it was interrupted. What others changed since is kept."""

    def changed(self, host: Any, record: "UndoRecord") -> str:  # noqa: ARG002 (by default not detected)
        """A change of the object by others since our last one, which this action would overwrite.

        Empty when there is none. `record` holds the earlier versions and this one.
        """
        return ""


class OneWayAction(Action):
    """An action that leaves nothing behind, or nothing that could be undone."""

    @override
    def undo(self, host: Any, record: "UndoRecord") -> Undone:
        return Undone(Undo.ABSENT)


class RecordAction(Action):
    """An action that only records something for later actions and runs: the journal record is the effect."""

    @property
    @abstractmethod
    def results(self) -> JsonObject:
        """What is recorded."""

    @override
    def satisfied(self, host: Any, outputs: Outputs) -> bool:
        return outputs.get(self.key) == self.results

    @override
    def apply(self, host: Any, outputs: Outputs) -> JsonObject:
        return self.results

    @override
    def undo(self, host: Any, record: "UndoRecord") -> Undone:
        return Undone(Undo.REMOVED)


@dataclass(frozen=True)
class UndoRecord:
    """The journal's records of the object of one action.

    `before` is the result of the first `capture`, `versions` all actions applied to it (oldest first),
    `outputs` the results of all finished actions.
    """

    before: JsonObject
    versions: Sequence[Action] = ()
    outputs: Outputs = field(default_factory=dict)


class Codec:
    """Converts actions to journal data and back. `kinds` are all known action classes."""

    def __init__(self, kinds: Iterable[type[Action]]) -> None:
        self._kinds: Mapping[str, type[Action]] = {kind.kind: kind for kind in kinds}

    def dump(self, action: Action) -> JsonObject:
        """The action as JSON data."""
        data = _adapter(type(action)).dump_python(action, mode="json")
        return {"kind": action.kind, **data}

    def load(self, data: JsonObject) -> Action:
        """The action of data written by `dump`. Raises JournalError for an unknown kind or unknown fields."""
        fields = dict(data)
        kind = self._kinds.get(str(fields.pop("kind", "")))
        try:
            if kind is not None:
                return _adapter(kind).validate_python(fields)
        except ValueError:
            # pydantic's ValidationError is one.
            pass
        raise JOURNAL_NEWER(reason=text("unknown action {kind}", kind=data.get("kind")))


@cache
def _adapter(kind: type[Action]) -> "TypeAdapter[Action]":
    return TypeAdapter(kind)
