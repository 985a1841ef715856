"""The receipt: the objects on this host that this program created, derived from the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mstunnel_setup.base.values import JsonObject, JsonValue, as_list, as_object


@dataclass(frozen=True)
class Entry:
    """One object that actions were applied to.

    `versions` is the data of every action begun on it, `before` the state before the first one, `outputs` the
    result of the last finished one; `finished` is false if the last one was interrupted, `made` true once any
    has finished. `first` and `last` are the numbers of the first and last `begin` record; until an action has
    finished, both are the last one.
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
    """The reason why a run stopped."""

    step: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Receipt:
    """The folded journal: objects in order of creation, finished steps, the last failure."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """The outputs of finished actions, by key."""
        return {entry.key: entry.outputs for entry in self.entries.values()}

    def stopped_in(self, step: str) -> bool:
        """Return whether a run stopped in `step`, with no step finished since."""
        return self.failure is not None and self.failure.step == step


_NOTHING = Receipt()
_ANSWER = "answer:"


def remembered(receipt: Receipt, name: str) -> JsonValue:
    """Return the answer that the action StoreAnswer stored under `name`, or None."""
    return receipt.outputs.get(f"{_ANSWER}{name}", {}).get("value")


def all_remembered(receipt: Receipt) -> JsonObject:
    """Return all stored answers by name, except those of interrupted actions."""
    return {
        key.removeprefix(_ANSWER): outputs["value"]
        for key, outputs in receipt.outputs.items()
        if key.startswith(_ANSWER) and "value" in outputs
    }


def fold(records: Iterable[JsonObject], receipt: Receipt = _NOTHING) -> Receipt:
    """Return `receipt` updated by the `records` that follow it; ignore unknown kinds."""
    for record in records:
        receipt = _after(receipt, record)
    return receipt


def _after(receipt: Receipt, record: JsonObject) -> Receipt:
    entries, steps, failure = dict(receipt.entries), receipt.steps, receipt.failure
    match kind := record["type"]:
        case "begin":
            key, data, number = str(record["key"]), as_object(record["action"]), int(str(record["sequence"]))
            known = entries.get(key)
            if known is None:
                step, before = str(record["step"]), as_object(record["before"])
                entries[key] = Entry(key, step, before, (data,), first=number, last=number)
            else:
                versions = known.versions if known.versions[-1] == data else (*known.versions, data)
                first = known.first if known.made else number
                entries[key] = replace(known, versions=versions, finished=False, first=first, last=number)
        case "done":
            key, outputs = str(record["key"]), as_object(record["outputs"])
            entries[key] = replace(entries[key], outputs=outputs, finished=True, made=True)
        case "undone" | "taken-back" | "released":
            gone = as_list(record["keys"]) if kind == "released" else [record["key"]]
            entries = {name: entry for name, entry in entries.items() if name not in gone}
            if kind == "undone":
                steps, failure = (), None
        case "step":
            steps, failure = tuple(dict.fromkeys((*steps, str(record["step"])))), None
        case "failed":
            failure = Failure(**{name: str(record[name]) for name in ("step", "code", "message", "hint")})
        case _:
            return receipt
    return Receipt(entries, steps, failure)
