"""Base of the options that describe one object of the tenant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from mst_admin.change import Body, Wire
from mstunnel_setup.answers.finding import Finding


@dataclass(frozen=True)
class ObjectOptions:
    """The properties of one object as Typer options, by declaration key.

    `NAMES` has the options of keys that are not fields, `APART` the fields that are not keys.
    """

    NAMES: ClassVar[Mapping[str, str]] = {}
    APART: ClassVar[frozenset[str]] = frozenset()
    resolve = False
    """Whether to look up public addresses."""

    def networks(self) -> list[str]:
        """Return the administrator's networks for the overlap check."""
        return []

    def given(self, present: Wire) -> Body:  # noqa: ARG002 (of some objects, parts are given)
        """Return the values of the given options by declaration key; `present` is the current object."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in self.APART}
        return {
            name: tuple(filter(None, value)) if isinstance(value, list) else value
            for name, value in values.items()
            if value is not None
        }

    def malformed(self) -> Iterable[Finding]:
        """Return findings about values that cannot be parsed."""
        return ()
