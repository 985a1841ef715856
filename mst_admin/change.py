"""One change of a tenant, and the comparison of objects, property by property, that finds it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.base.text import plain, text

KindName: TypeAlias = Literal[
    "configuration",
    "site",
    "threshold",
    "server",
    "trusted root",
    "profile",
    "app",
    "app configuration",
    "app protection",
]
Verb: TypeAlias = Literal["create", "update", "delete"]
Body: TypeAlias = dict[str, Any]
"""Properties of an object of the tenant, by their Graph names."""
Wire: TypeAlias = Mapping[str, Any]
"""Read-only properties of an object of the tenant, by their Graph names."""
ASSIGNMENTS: Final = "assignments"
"""Key of the assignments among the properties of an object."""
TYPE: Final = "@odata.type"
CONFIGURATION_KEY: Final = "configuration"
"""Key of the server configuration among the properties of a site."""


@dataclass(frozen=True)
class Change:
    """One change of an object."""

    verb: Verb
    kind: KindName
    name: str
    identifier: Annotated[
        str, Field(serialization_alias="id", description="Empty for what did not exist.")
    ] = ""
    before: Annotated[Wire, Field(description="Properties as they were, by their names in Graph.")] = field(
        default_factory=dict
    )
    after: Annotated[
        Wire, Field(description="Properties that were or would be written; other objects by name.")
    ] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Return the lines that describe the change on a terminal."""
        mark = {"create": "+", "update": "~", "delete": "-"}[self.verb]
        yield text("{mark} {kind} {name}", mark=mark, kind=self.kind, name=plain(self.name))
        for name, value in self.after.items():
            old = f"{_words(self.before.get(name))} -> " if self.verb == "update" else ""
            yield text("    {name}: {old}{value}", name=self._key(name), old=old, value=_words(value))

    def _key(self, name: str) -> str:
        """Return the declaration key of a property; the Graph name for kinds without one key per property."""
        known = {"displayName": "name", "healthyThreshold": "healthy", "unhealthyThreshold": "unhealthy"}
        if name in known or self.kind not in {"configuration", "site", "threshold", "server"}:
            return known.get(name, name)
        return re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", name)

    @property
    def type(self) -> str:
        """The `@odata.type` of the object; empty where its collection has only one type."""
        return str(self.before.get(TYPE) or self.after.get(TYPE) or "")


def _words(value: object) -> str:
    """Format a value for a terminal: lists without brackets, settings as name=value."""
    if value in (None, [], ""):
        return "(none)"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    if isinstance(value, dict):
        if set(value) in ({"name", "value"}, {"key", "value"}):
            return "=".join(plain(item) for item in value.values())
        return " ".join(f"{plain(name)}={_words(item)}" for name, item in value.items() if item is not None)
    return plain(value, 120)


def canonical(value: Any) -> Any:
    """Return a value normalised for comparison, without the nulls and nested types that Graph adds."""
    if isinstance(value, Mapping):
        kept = {name: canonical(item) for name, item in value.items() if not name.startswith("@")}
        return {name: item for name, item in kept.items() if item} or None
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value] or None
    return None if value == "notConfigured" else value or None


def differences(before: Wire, body: Wire) -> Body:
    """Return the properties of `body` that differ from `before`; null, empty and false are equal."""
    differs = {
        name: value
        for name, value in body.items()
        if name != ASSIGNMENTS and canonical(value) != canonical(before.get(name))
    }
    if ASSIGNMENTS in body:
        # A filter only narrows a target, so it is not compared.
        there, wanted = ({identity(item) for item in each[ASSIGNMENTS]} for each in (before, body))
        differs |= {} if there == wanted else {ASSIGNMENTS: body[ASSIGNMENTS]}
    return differs


def update(
    kind: KindName, name: str, identifier: str, before: Wire, differs: Wire, *, also: Sequence[str] = ()
) -> Iterator[Change]:
    """Return the update from `before` to `body`, or None if nothing differs.

    `before` also has the type, which every update must include; properties in `also` are written as well.
    """
    if differs:
        names = (TYPE, *also, *differs) if TYPE in before else differs
        there = {key: before.get(key) for key in names}
        yield Change("update", kind, name, identifier, there, differs)


def identity(target: Wire) -> tuple[str, str]:
    """Return the type and group of a target, ignoring its filter."""
    return str(target[TYPE]), str(target.get("groupId") or "").casefold()
