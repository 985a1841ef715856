"""The receipt: the objects on this host that we made, derived from the journal."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mstunnel_setup.base.values import JsonObject, as_list, as_object


@dataclass(frozen=True)
class Entry:
    """One object that actions were applied to.

    `versions` is the data of every action begun on it, `before` the state before the first one, `outputs`
    the result of the last finished one; `finished` is false when the last was interrupted, `made` true once
    any has finished. `first` and `last` are the numbers of the first and last `begin` record; before it is
    made, both are the last one.
    """

    key: str
    step: str
    before: JsonObject
    versions: tuple[JsonObject, ...]
    outputs: JsonObject = field(default_factory=dict)
    finished: bool = False
    made: bool = False
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Failure:
    """Why a run stopped."""

    step: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Receipt:
    """The folded journal: objects in the order they were made, finished steps, the last failure."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """Results of finished actions, by key."""
        return {entry.key: entry.outputs for entry in self.entries.values()}

    def stopped_in(self, step: str) -> bool:
        """Whether a run stopped in this step, and none has finished it, or a later one, since."""
        return self.failure is not None and self.failure.step == step


_NOTHING = Receipt()


def fold(records: Iterable[JsonObject], receipt: Receipt = _NOTHING) -> Receipt:
    """The receipt after the journal `records`, which follow those of `receipt`."""
    for record in records:
        handler = _HANDLERS.get(str(record["type"]))
        receipt = handler(receipt, record) if handler else receipt
    return receipt


def _begin(receipt: Receipt, record: JsonObject) -> Receipt:
    key, data, number = str(record["key"]), as_object(record["action"]), int(str(record["sequence"]))
    known = receipt.entries.get(key)
    if known is None:
        entry = Entry(
            key, str(record["step"]), as_object(record["before"]), (data,), first=number, last=number
        )
        return _put(receipt, entry)
    versions = known.versions if known.versions[-1] == data else (*known.versions, data)
    first = known.first if known.made else number
    return _put(receipt, replace(known, versions=versions, finished=False, first=first, last=number))


def _put(receipt: Receipt, entry: Entry) -> Receipt:
    return replace(receipt, entries={**receipt.entries, entry.key: entry})


def _done(receipt: Receipt, record: JsonObject) -> Receipt:
    entry = receipt.entries[str(record["key"])]
    return _put(receipt, replace(entry, outputs=as_object(record["outputs"]), finished=True, made=True))


def _without(receipt: Receipt, keys: Container[object]) -> Receipt:
    entries = {name: entry for name, entry in receipt.entries.items() if name not in keys}
    return replace(receipt, entries=entries)


def _undone(receipt: Receipt, record: JsonObject) -> Receipt:
    return replace(_taken_back(receipt, record), steps=(), failure=None)


def _taken_back(receipt: Receipt, record: JsonObject) -> Receipt:
    return _without(receipt, (record["key"],))


def _released(receipt: Receipt, record: JsonObject) -> Receipt:
    return _without(receipt, as_list(record["keys"]))


def _step(receipt: Receipt, record: JsonObject) -> Receipt:
    steps = dict.fromkeys((*receipt.steps, str(record["step"])))
    return replace(receipt, steps=tuple(steps), failure=None)


def _failed(receipt: Receipt, record: JsonObject) -> Receipt:
    names = ("step", "code", "message", "hint")
    return replace(receipt, failure=Failure(**{name: str(record[name]) for name in names}))


_HANDLERS: Mapping[str, Callable[[Receipt, JsonObject], Receipt]] = {
    "begin": _begin,
    "done": _done,
    "undone": _undone,
    "taken-back": _taken_back,
    "released": _released,
    "step": _step,
    "failed": _failed,
}
