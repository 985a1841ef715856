"""What declared objects have in common: names, texts, and to whom they are assigned."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from mst_admin.change import TYPE, Body, Wire, identity
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import Guid, Line, Part, matching
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire_intune import AppAssignment, DeviceConfigurationAssignment, IntuneObject

DEFAULT_SCOPE_TAGS = ("0",)
"""The default scope tag (docs/reference/mst-admin.md)."""


# Intune's limit.
Prose = Annotated[str, matching(r"(?s).{0,1500}", "must be at most 1500 characters long: shorten it")]


class Trimmed(Part):
    """A section whose texts lose the spaces around them."""

    model_config = ConfigDict(str_strip_whitespace=True)


def without_empty(body: Wire) -> Body:
    """A body to create something with: what is null is left out."""
    return {name: value for name, value in body.items() if value is not None}


def properties(declared: Part, names: Mapping[str, str]) -> Body:
    """Fields of a declared object as properties in Graph; `names` are those of the properties, by field.

    An empty text is null there.
    """
    values = {name: getattr(declared, field) for field, name in names.items()}
    return {
        name: list(value) if isinstance(value, tuple) else None if value == "" else value
        for name, value in values.items()
    }


def fields_from(wire: Wire, model: type[BaseModel], names: Mapping[str, str]) -> Body:
    """The same in the other direction: the fields as the tenant has them; null is the default."""
    found: Body = {}
    for field, name in names.items():
        known, value = model.model_fields[field], wire.get(name)
        default = "" if known.is_required() else known.default
        if value and isinstance(default, tuple):
            value = tuple(map(str, value))
        found[field] = default if value in (None, "", []) else value
    return found


class NamedObject(Part):
    """An object that is found again by its name."""

    name: Line = Field(description="Name in the admin center", examples=["Defender"])


_ALL_USERS: Final = "#microsoft.graph.allLicensedUsersAssignmentTarget"
_ALL_DEVICES: Final = "#microsoft.graph.allDevicesAssignmentTarget"
_GROUP: Final = "#microsoft.graph.groupAssignmentTarget"
_EXCLUDED_GROUP: Final = "#microsoft.graph.exclusionGroupAssignmentTarget"
_DECLARABLE: Final = frozenset({_ALL_USERS, _ALL_DEVICES, _GROUP, _EXCLUDED_GROUP})

AllUsers = Annotated[StrictBool, Field(description="Assign it to all licensed users")]
AllDevices = Annotated[StrictBool, Field(description="Assign it to all devices")]
Groups = Annotated[tuple[Guid, ...], Field(description="Ids of the groups that it is assigned to")]
ExcludedGroups = Annotated[tuple[Guid, ...], Field(description="Ids of groups that are excluded")]


Assignment: TypeAlias = AppAssignment | DeviceConfigurationAssignment
"""An assignment that the tenant has."""


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


@dataclass(frozen=True)
class PresentObject:
    """An object of the tenant."""

    found: IntuneObject

    @property
    def name(self) -> str:
        """Its name."""
        return self.found.display_name

    @property
    def id(self) -> str:
        """Its id in the tenant."""
        return self.found.id

    @property
    def wire(self) -> Body:
        """All properties."""
        return self.found.document()


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

    def groups_of(kind: str) -> tuple[str, ...]:
        return tuple(item.group_id for item in there if item.odata_type == kind and item.group_id)

    return {
        "all_users": any(item.odata_type == _ALL_USERS for item in there),
        "all_devices": any(item.odata_type == _ALL_DEVICES for item in there),
        "groups": groups_of(_GROUP),
        "excluded_groups": groups_of(_EXCLUDED_GROUP),
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


def is_declarable(target: Wire) -> bool:
    """Whether a file can say the kind of a target."""
    return target[TYPE] in _DECLARABLE


def undeclarable_targets(assignments: Iterable[Assignment]) -> Iterator[str]:
    """What a file cannot say of the assignments."""
    for item in assignments:
        target = item.target
        if target.odata_type not in _DECLARABLE:
            yield text("the assignment {kind}", kind=target.odata_type.rpartition(".")[2])
        elif (target.model_extra or {}).get("deviceAndAppManagementAssignmentFilterId"):
            whom = target.group_id or target.odata_type.rpartition(".")[2]
            yield text("the filter of the assignment to {whom}", whom=whom)


def judge_assignment(declared: Assignable, what: str) -> Iterator[Finding]:
    """All findings about the assignment of an object; `what` is what people call it."""
    both = set(declared.groups) & set(declared.excluded_groups)
    if both:
        yield finding(
            "excluded_groups",
            "group-both-ways",
            "the group {group} is both included and excluded",
            hint="Remove it from one list.",
            group=min(both),
        )
    if not (declared.groups or declared.all_users or declared.all_devices):
        yield finding(
            "groups",
            "not-assigned",
            "the {what} is not assigned to any user",
            hint="Add groups by id, or all_users: true.",
            fatal=False,
            what=what,
        )
