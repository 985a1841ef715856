"""One change of a tenant: what to write, what it is now, and both in words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from mstunnel_setup.base.text import plain, text

Kind: TypeAlias = Literal[
    "configuration",
    "site",
    "threshold",
    "server",
    "trusted root",
    "profile",
    "app",
    "app configuration",
    "app protection",
    "Conditional Access policy",
]
Verb: TypeAlias = Literal["create", "update", "delete"]
Body: TypeAlias = dict[str, Any]
"""Properties of an object of the tenant, by their names in Graph."""
Wire: TypeAlias = Mapping[str, Any]
"""The same, only to read."""
CONFIGURATION = "configuration"
"""Name under which a site's server configuration stands among its properties."""

_LONGEST = 120
_DECLARED_ALIKE: Final = frozenset({"configuration", "site", "threshold", "server"})
_KEYS: Final = {"displayName": "name", "healthyThreshold": "healthy", "unhealthyThreshold": "unhealthy"}


@dataclass(frozen=True)
class Change:
    """One change: `after` are the properties (wire names) to write, `before` what they are now.

    What refers to another object is in them by that object's name. `identifier` is empty for what is to be
    created.
    """

    verb: Verb
    kind: Kind
    name: str
    identifier: str = ""
    after: Wire = field(default_factory=dict)
    before: Wire = field(default_factory=dict)

    def document(self) -> Body:
        """The change as JSON."""
        own = {"verb": self.verb, "kind": self.kind, "name": self.name, "id": self.identifier}
        return {**own, "before": dict(self.before), "after": dict(self.after)}

    def lines(self) -> Iterator[str]:
        """The change for people."""
        mark = {"create": "+", "update": "~", "delete": "-"}[self.verb]
        yield f"{mark} {self.kind} {plain(self.name)}"
        for name, value in self.after.items():
            old = f"{_words(self.before.get(name))} -> " if self.verb == "update" else ""
            yield text("    {name}: {old}{value}", name=self._key(name), old=old, value=_words(value))

    def _key(self, name: str) -> str:
        """The property as declarations and `show` call it; of other kinds they have no key for each."""
        known = _KEYS.get(name)
        if known or self.kind not in _DECLARED_ALIKE:
            return known or name
        return re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", name)


def update_of(kind: Kind, name: str, identifier: str, before: Wire, after: Wire) -> Change | None:
    """The change that writes `after`; None when that is nothing."""
    if not after:
        return None
    return Change("update", kind, name, identifier, after, {key: before.get(key) for key in after})


def _words(value: object) -> str:
    """A value for people: lists without brackets, settings as name=value."""
    if value in (None, [], ""):
        return "(none)"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    if isinstance(value, dict):
        return _pairs(value)
    return plain(value, _LONGEST)


def _pairs(value: Wire) -> str:
    if set(value) in ({"name", "value"}, {"key", "value"}):
        return "=".join(plain(item) for item in value.values())
    return " ".join(f"{plain(name)}={_words(item)}" for name, item in value.items() if item is not None)
