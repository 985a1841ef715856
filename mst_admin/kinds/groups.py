"""Groups: ids for the names that files use, and names for the ids that the tenant uses.

Entra does not require unique names, so a name counts only if one group has it. A GUID is always an id.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel

from mst_admin.change import Body, Change, Wire
from mst_admin.errors import GROUP_AMBIGUOUS, GROUP_UNKNOWN
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import SignInError, TenantError
from mstunnel_setup.base.text import plain
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import GROUPS, AdminGraph
from mstunnel_setup.tenant.wire import GROUP_MEMBER_READ, Group

Declared = TypeVar("Declared", bound=BaseModel)
FoundGroups: TypeAlias = Mapping[str, Sequence[Group]]
"""The groups of the tenant by the name that a file uses, in lower case."""
_KEYS: Final = ("groups", "excluded_groups")
_NESTED: Final = "assignments"
"""Key of an app's assignments, each of which has groups."""
_GROUP_ID: Final = "groupId"


def named_groups(declared: BaseModel) -> Iterator[tuple[str, str]]:
    """Yield the groups that a declared object names instead of giving their id, each with its key."""
    for key in _KEYS:
        for group in getattr(declared, key, ()):
            if not is_guid(group):
                yield key, group
    for item in getattr(declared, _NESTED, ()):
        for _key, group in named_groups(item):
            yield _NESTED, group


def permissions_for(declared: Iterable[BaseModel]) -> tuple[str, ...]:
    """Return the additional permission to ask for if one of the objects names a group."""
    return (GROUP_MEMBER_READ,) if any(True for item in declared for _ in named_groups(item)) else ()


def find_groups(graph: AdminGraph, declared: Iterable[BaseModel]) -> FoundGroups:
    """Return the groups that the objects name, with one request for each name.

    Raises SignInError `permission-missing` and others.
    """
    names = {name.casefold(): name for item in declared for _key, name in named_groups(item)}
    return {key: graph.objects(GROUPS, name, ("id", "displayName")) for key, name in names.items()}


def group_problems(declared: BaseModel, found: FoundGroups) -> Iterator[Finding]:
    """Return findings about names that no group has, or several."""
    for key, name in named_groups(declared):
        groups = found[name.casefold()]
        if not groups:
            yield GROUP_UNKNOWN(name=plain(name)).at(key)
        elif len(groups) > 1:
            ids = ", ".join(sorted(group.id for group in groups))
            yield GROUP_AMBIGUOUS(count=len(groups), name=plain(name), ids=ids).at(key)


def with_group_ids(declared: Declared, found: FoundGroups) -> Declared:
    """Return a declared object with the ids of the groups that it names; each group once."""

    def identifier(group: str) -> str:
        return group if is_guid(group) else found[group.casefold()][0].id.lower()

    update: Body = {
        key: tuple(dict.fromkeys(map(identifier, getattr(declared, key))))
        for key in _KEYS
        if hasattr(declared, key)
    }
    if hasattr(declared, _NESTED):
        update[_NESTED] = tuple(with_group_ids(item, found) for item in getattr(declared, _NESTED))
    return declared.model_copy(update=update)


def group_names(graph: AdminGraph, values: object) -> dict[str, str]:
    """Return the names of the groups whose ids occur in `values`, by id, as far as they can be read.

    Names are an addition to ids, so nothing is asked without a permission to read groups, and a refusal
    leaves the ids alone.
    """
    ids = {identifier.lower() for identifier in _group_ids(values)}
    if not ids or not graph.may_read_groups:
        return {}
    try:
        return {identifier: plain(name) for identifier, name in graph.group_names(ids).items()}
    except (SignInError, TenantError):
        return {}


def _group_ids(value: object, *, is_group: bool = False) -> Iterator[str]:
    """Yield the ids of groups in properties of Graph and in declarations."""
    if isinstance(value, Change):
        yield from _group_ids([value.before, value.after])
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _group_ids(item, is_group=key in {*_KEYS, _GROUP_ID})
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _group_ids(item, is_group=is_group)
    elif is_group and is_guid(str(value)):
        yield str(value)


def with_group_names(document: Wire, names: Mapping[str, str]) -> Body:
    """Return properties for a person to read: before each id of a group its name, where it is known."""

    def named(value: Any, *, is_group: bool = False) -> Any:
        if isinstance(value, Mapping):
            return {key: named(item, is_group=key in {*_KEYS, _GROUP_ID}) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [named(item, is_group=is_group) for item in value]
        name = names.get(str(value).lower()) if is_group else None
        return value if name is None else f"{name} ({value})"

    return {**named(document)}
