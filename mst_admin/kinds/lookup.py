"""Lookup of one object by name or id."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from mst_admin.errors import NAME_AMBIGUOUS
from mst_admin.objects.mam import PresentMam
from mst_admin.objects.parts import PresentObject
from mstunnel_setup.base.errors import UsageError


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Present = TypeVar("Present", bound=_HasId)
FilePresent = TypeVar("FilePresent", bound=PresentObject | PresentMam)


def require_name(what: str, wanted: str, command: str) -> None:
    """Raise UsageError `name-empty` for a blank name, which could match any object."""
    if not wanted.strip():
        raise UsageError(
            "name-empty",
            "the name of the {kind} is empty",
            hint=(
                "Give a name or an id; `mst-admin {command} list` shows them. A shell variable may be unset."
            ),
            kind=what,
            command=command,
        )


def only(found: Sequence[Present], what: str, name: str) -> Present | None:
    """Return the only match of a name, or None. Raises TenantError `name-ambiguous`."""
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind=what, name=name, ids=ids)
    return found[0] if found else None


def called(name: str, objects: Iterable[FilePresent], what: str) -> FilePresent | None:
    """Return the object of this name, ignoring case as Graph does. Raises TenantError `name-ambiguous`."""
    return only([item for item in objects if item.name.casefold() == name.casefold()], what, name)
