"""Objects of Intune compared property by property: as they are declared, and as the tenant has them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mst_admin.assignments import ASSIGNMENTS, TYPE, same_targets
from mst_admin.change import Body, Change, Kind, Wire


def canonical(value: Any) -> Any:
    """A value for comparison: Graph writes out what is not set, and the types of parts."""
    if isinstance(value, Mapping):
        kept = {name: canonical(item) for name, item in value.items() if not name.startswith("@")}
        return {name: item for name, item in kept.items() if item} or None
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value] or None
    return None if value == "notConfigured" else value or None


def differences(before: Wire, body: Wire) -> Body:
    """The properties of `body` that are not so in `before`; null, empty and false mean the same."""
    differs = {
        name: value
        for name, value in body.items()
        if name != ASSIGNMENTS and canonical(value) != canonical(before.get(name))
    }
    if ASSIGNMENTS in body and not same_targets(body[ASSIGNMENTS], before[ASSIGNMENTS]):
        differs[ASSIGNMENTS] = body[ASSIGNMENTS]
    return differs


def update(
    kind: Kind, name: str, identifier: str, before: Wire, differs: Wire, *, also: Sequence[str] = ()
) -> Iterator[Change]:
    """The change, if any; `before` also tells the type, which every write has to name, and what is `also`."""
    if differs:
        known = {key: before.get(key) for key in (TYPE, *also, *differs)}
        yield Change("update", kind, name, identifier, differs, known)
