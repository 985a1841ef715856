"""To whom objects of Intune are assigned: as files say it, and as Graph has it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, Protocol

from pydantic import Field, StrictBool

from mst_admin.change import Body, Wire
from mstunnel_setup.answers.values import Guid
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire import AssignmentTarget

ASSIGNMENTS: Final = "assignments"
"""Name under which the assignments of an object stand among its properties."""
TYPE: Final = "@odata.type"

_ALL_USERS: Final = "#microsoft.graph.allLicensedUsersAssignmentTarget"
_ALL_DEVICES: Final = "#microsoft.graph.allDevicesAssignmentTarget"
_GROUP: Final = "#microsoft.graph.groupAssignmentTarget"
_EXCLUDED_GROUP: Final = "#microsoft.graph.exclusionGroupAssignmentTarget"
_DECLARABLE: Final = frozenset({_ALL_USERS, _ALL_DEVICES, _GROUP, _EXCLUDED_GROUP})
_FILTER: Final = "deviceAndAppManagementAssignmentFilterId"

AllUsers = Annotated[StrictBool, Field(description="Assign it to all licensed users")]
AllDevices = Annotated[StrictBool, Field(description="Assign it to all devices")]
Groups = Annotated[tuple[Guid, ...], Field(description="Ids of the groups that it is assigned to")]
ExcludedGroups = Annotated[tuple[Guid, ...], Field(description="Ids of groups that are excluded")]


class Assignable(Protocol):
    """A declared object that says to whom it is assigned."""

    @property
    def all_users(self) -> bool:
        """Whether all licensed users get it."""
        ...

    @property
    def all_devices(self) -> bool:
        """Whether all devices get it."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of the groups that get it."""
        ...

    @property
    def excluded_groups(self) -> tuple[str, ...]:
        """Ids of the groups that do not get it."""
        ...


class Assignment(Protocol):
    """An assignment that the tenant has."""

    @property
    def target(self) -> AssignmentTarget:
        """To whom."""
        ...


def targets(declared: Assignable) -> Iterator[Body]:
    """To whom the object is assigned."""
    if declared.all_users:
        yield {TYPE: _ALL_USERS}
    if declared.all_devices:
        yield {TYPE: _ALL_DEVICES}
    for group in declared.groups:
        yield {TYPE: _GROUP, "groupId": group}
    for group in declared.excluded_groups:
        yield {TYPE: _EXCLUDED_GROUP, "groupId": group}


def assignees(assignments: Iterable[Assignment]) -> Body:
    """The keys of a declared object that say the same as the assignments of the tenant."""
    there = [item.target for item in assignments]
    return {
        "all_users": any(item.odata_type == _ALL_USERS for item in there),
        "all_devices": any(item.odata_type == _ALL_DEVICES for item in there),
        "groups": tuple(_groups(there, _GROUP)),
        "excluded_groups": tuple(_groups(there, _EXCLUDED_GROUP)),
    }


def target_of(item: Assignment) -> Body:
    """The target of an assignment, as Graph has it."""
    return item.target.model_dump(mode="json", by_alias=True, exclude_none=True)


def wanted_targets(declared: Assignable, present: Iterable[Assignment]) -> list[Wire]:
    """The declared targets, each as it is there already, with its filter; and those that no file can say."""
    there = [target_of(item) for item in present]
    known = {identity(item): item for item in there}
    others = [item for item in there if not is_declarable(item)]
    return [*(known.get(identity(item), item) for item in targets(declared)), *others]


def same_targets(first: Sequence[Wire], second: Sequence[Wire]) -> bool:
    """Whether both name the same: a filter only narrows a target."""
    return {identity(item) for item in first} == {identity(item) for item in second}


def is_declarable(target: Wire) -> bool:
    """Whether a file can say the kind of a target."""
    return target[TYPE] in _DECLARABLE


def undeclarable_targets(assignments: Iterable[Assignment]) -> Iterator[str]:
    """What a file cannot say of the assignments."""
    for item in assignments:
        target = item.target
        if target.odata_type not in _DECLARABLE:
            yield text("the assignment {rpartition}", rpartition=target.odata_type.rpartition(".")[2])
        elif (target.model_extra or {}).get(_FILTER):
            yield text(
                "the filter of the assignment to {rpartition}",
                rpartition=target.group_id or target.odata_type.rpartition(".")[2],
            )


def _groups(there: Iterable[AssignmentTarget], kind: str) -> Iterator[str]:
    for item in there:
        if item.odata_type == kind and item.group_id:
            yield item.group_id


def identity(target: Wire) -> tuple[str, str]:
    """Who a target means, whatever its filter: type, and group if there is one."""
    return str(target[TYPE]), str(target.get("groupId") or "").casefold()
