"""How the one object that a person means is found, by name or id."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from mst_admin.errors import NAME_AMBIGUOUS, NAME_UNKNOWN
from mst_admin.objects.mam import PresentMam
from mst_admin.objects.parts import PresentObject
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.tenant.graph import is_guid


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Present = TypeVar("Present", bound=_HasId)
FilePresent = TypeVar("FilePresent", bound=PresentObject | PresentMam)


def require_name(what: str, wanted: str, command: str) -> None:
    """Raise UsageError `name-empty` for a blank name, which a lookup could take for any object."""
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


def find_one(
    what: str,
    command: str,
    wanted: str,
    by_id: Callable[[str], Present | None],
    by_name: Callable[[str], Sequence[Present]],
    *,
    place: str = "tenant",
) -> Present:
    """The one object with this name or id.

    Raises UsageError `name-empty`, TenantError `name-unknown` and `name-ambiguous`.
    """
    require_name(what, wanted, command)
    found = by_id(wanted) if is_guid(wanted) else None
    found = found or only(by_name(wanted), what, wanted)
    if found is None:
        raise NAME_UNKNOWN(place=place, kind=what, name=wanted, command=command)
    return found


def only(found: Sequence[Present], what: str, name: str) -> Present | None:
    """The one that was found by a name, if any. Raises TenantError `name-ambiguous`."""
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind=what, name=name, ids=ids)
    return found[0] if found else None


def called(name: str, objects: Iterable[FilePresent], what: str) -> FilePresent | None:
    """The one object of this name, compared as Graph does. Raises TenantError `name-ambiguous`."""
    return only([item for item in objects if item.name.casefold() == name.casefold()], what, name)
