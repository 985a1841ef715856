"""An action: one small reversible effect, described as data.

The runner passes the host on to the actions and uses nothing of it.
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
    # This action depends on objects that may be newer than itself, so it is undone before everything that
    # existed when it was last begun.
    depends_on_newer: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)

    @property
    def key(self) -> str:
        """The changed object's key; actions with the same key are versions of one object."""
        return self.key_template.format_map(self._named_in(self.key_template))

    def describe(self) -> str:
        """Return a line for people that describes the action."""
        return sentence(self.description, self._named_in(self.description))

    def _named_in(self, template: str) -> dict[str, Any]:
        """Return the attributes that a template names."""
        names = [name.partition(".")[0] for _, name, _, _ in Formatter().parse(template) if name]
        return {name: getattr(self, name) for name in names}

    @abstractmethod
    def satisfied(self, host: Any, outputs: Outputs) -> bool:
        """Return whether the effect is already there."""

    def capture(self, host: Any) -> JsonObject:  # noqa: ARG002 (most have nothing to restore)
        """Return the state for `undo` to restore, recorded before `apply`; empty by default."""
        return {}

    def resolved(self, outputs: Outputs) -> "Action":  # noqa: ARG002 (most refer to nothing)
        """Return the action as the journal keeps it, with the outputs that it refers to filled in."""
        return self

    def clear_attempt(self, host: Any) -> None:  # noqa: B027 (most have nothing to do)
        """Remove remains of an interrupted attempt that `apply` and `undo` cannot handle; mostly nothing."""

    @abstractmethod
    def apply(self, host: Any, outputs: Outputs) -> JsonObject | None:
        """Apply the effect and return the outputs that other actions may refer to, if any."""

    @abstractmethod
    def undo(self, host: Any, record: "UndoRecord") -> Undone:
        """Undo the effect, even if it was interrupted. Keep what others have changed since."""

    def changed(self, host: Any, record: "UndoRecord") -> str:  # noqa: ARG002 (by default not detected)
        """Return the change that others have made since our last one and that this action would overwrite.

        Empty if there is none. `record` holds the earlier versions and this one.
        """
        return ""


class OneWayAction(Action):
    """An action that leaves nothing to undo."""

    @override
    def undo(self, host: Any, record: "UndoRecord") -> Undone:
        return Undone(Undo.ABSENT)


class RecordAction(Action):
    """An action whose only effect is its journal record, for later actions and runs."""

    @property
    @abstractmethod
    def results(self) -> JsonObject:
        """The outputs to record."""

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
    """The journal's records of one action's object.

    `before` is the result of the first `capture`, `versions` are all actions applied to it (oldest first),
    `outputs` the results of all finished actions.
    """

    before: JsonObject
    versions: Sequence[Action] = ()
    outputs: Outputs = field(default_factory=dict)


class Codec:
    """A converter between actions and journal data. `kinds` are all known action classes."""

    def __init__(self, kinds: Iterable[type[Action]]) -> None:
        self._kinds: Mapping[str, type[Action]] = {kind.kind: kind for kind in kinds}

    def dump(self, action: Action) -> JsonObject:
        """Return the action as JSON."""
        data = _adapter(type(action)).dump_python(action, mode="json")
        return {"kind": action.kind, **data}

    def load(self, data: JsonObject) -> Action:
        """Return the action in data of `dump`. Raises JournalError for an unknown kind or unknown fields."""
        fields = dict(data)
        kind = self._kinds.get(str(fields.pop("kind", "")))
        try:
            if kind is not None:
                return _adapter(kind).validate_python(fields)
        except ValueError:
            # pydantic's ValidationError is a ValueError.
            pass
        raise JOURNAL_NEWER(reason=text("unknown action {kind}", kind=data.get("kind")))


@cache
def _adapter(kind: type[Action]) -> "TypeAdapter[Action]":
    return TypeAdapter(kind)
