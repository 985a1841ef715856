"""The receipt: what the journal says stands on this host because of us. Derived, never stored twice."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from mstunnel_setup.engine.values import JsonObject


@dataclass(frozen=True)
class Entry:
    """One object that actions were applied to.

    `versions` is the data of every action begun on it; `before` is what stood there before the first one;
    `outputs` is what the last finished one returned; `finished` is false when the last was cut off.
    """

    key: str
    step: str
    before: JsonObject
    versions: tuple[JsonObject, ...]
    outputs: JsonObject = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a run stopped."""

    step: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Receipt:
    """The journal folded: objects in the order they were made, finished steps, the last failure."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """Results of finished actions, by key."""
        return {entry.key: entry.outputs for entry in self.entries.values()}


def fold(records: Iterable[JsonObject]) -> Receipt:
    """The receipt that the journal `records` amount to."""
    receipt = Receipt()
    for record in records:
        receipt = _apply(receipt, record)
    return receipt


def _apply(receipt: Receipt, record: JsonObject) -> Receipt:
    handler = _HANDLERS.get(str(record["type"]))
    return handler(receipt, record) if handler else receipt


def _begin(receipt: Receipt, record: JsonObject) -> Receipt:
    key = str(record["key"])
    data = _object(record["action"])
    known = receipt.entries.get(key)
    if known is None:
        entry = Entry(key, str(record["step"]), _object(record["before"]), (data,))
    else:
        versions = known.versions if known.versions[-1] == data else (*known.versions, data)
        entry = replace(known, versions=versions, finished=False)
    return _put(receipt, entry)


def _put(receipt: Receipt, entry: Entry) -> Receipt:
    return replace(receipt, entries={**receipt.entries, entry.key: entry})


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value)


def _done(receipt: Receipt, record: JsonObject) -> Receipt:
    entry = receipt.entries[str(record["key"])]
    return _put(receipt, replace(entry, outputs=_object(record["outputs"]), finished=True))


def _undone(receipt: Receipt, record: JsonObject) -> Receipt:
    left = {key: entry for key, entry in receipt.entries.items() if key != record["key"]}
    return replace(receipt, entries=left, steps=(), failure=None)


def _taken_back(receipt: Receipt, record: JsonObject) -> Receipt:
    left = {key: entry for key, entry in receipt.entries.items() if key != record["key"]}
    return replace(receipt, entries=left)


def _step(receipt: Receipt, record: JsonObject) -> Receipt:
    return replace(receipt, steps=(*receipt.steps, str(record["step"])), failure=None)


def _failed(receipt: Receipt, record: JsonObject) -> Receipt:
    names = ("step", "code", "message", "hint")
    return replace(receipt, failure=Failure(**{name: str(record[name]) for name in names}))


_HANDLERS: Mapping[str, Callable[[Receipt, JsonObject], Receipt]] = {
    "begin": _begin,
    "done": _done,
    "undone": _undone,
    "taken-back": _taken_back,
    "step": _step,
    "failed": _failed,
}
