"""Common parts of declared objects: names, texts and assignments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
)

from mst_admin.change import TYPE, Body, Wire, identity
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import Guid, Line, Part, matching
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire_intune import AppAssignment, DeviceConfigurationAssignment, IntuneObject

DEFAULT_SCOPE_TAGS = ("0",)
"""The default scope tag (docs/reference/mst-admin.md)."""


# Intune limits descriptions to this length.
Prose = Annotated[str, matching(r"(?s).{0,1500}", "must be at most 1500 characters long: shorten it")]


class Trimmed(Part):
    """A model that strips the spaces around its texts."""

    model_config = ConfigDict(str_strip_whitespace=True)


def without_empty(body: Wire) -> Body:
    """Return a body for creating an object, without null properties."""
    return {name: value for name, value in body.items() if value is not None}


def properties(declared: Part, names: Mapping[str, str]) -> Body:
    """Return fields of a declared object as Graph properties; `names` has the property names by field.

    An empty text becomes null.
    """
    values = {name: getattr(declared, field) for field, name in names.items()}
    return {
        name: list(value) if isinstance(value, tuple) else None if value == "" else value
        for name, value in values.items()
    }


def fields_from(wire: Wire, model: type[BaseModel], names: Mapping[str, str]) -> Body:
    """Return Graph properties as fields of a declared object; null becomes the default of the field."""
    found: Body = {}
    for field, name in names.items():
        known, value = model.model_fields[field], wire.get(name)
        default = "" if known.is_required() else known.default
        if value and isinstance(default, tuple):
            value = tuple(map(str, value))
        found[field] = default if value in (None, "", []) else value
    return found


class NamedObject(Part):
    """A declared object that is identified by its name."""

    name: Line = Field(description="Name in the admin center", examples=["Defender"])


_ALL_USERS: Final = "#microsoft.graph.allLicensedUsersAssignmentTarget"
_ALL_DEVICES: Final = "#microsoft.graph.allDevicesAssignmentTarget"
_GROUP: Final = "#microsoft.graph.groupAssignmentTarget"
_EXCLUDED_GROUP: Final = "#microsoft.graph.exclusionGroupAssignmentTarget"
_DECLARABLE: Final = frozenset({_ALL_USERS, _ALL_DEVICES, _GROUP, _EXCLUDED_GROUP})

AllUsers = Annotated[StrictBool, Field(description="Assign it to all licensed users")]
AllDevices = Annotated[StrictBool, Field(description="Assign it to all devices")]
_GUID: Final = TypeAdapter[str](Guid)


def _group(text: str) -> str:
    """Return an id in lower case, or a name as it is given."""
    try:
        return _GUID.validate_python(text)
    except ValidationError:
        if not text.strip() or len(text) > _LONGEST_GROUP or not text.isprintable():
            raise ValueError(
                f"must be the id of a group, or its name of 1 to {_LONGEST_GROUP} printable characters: "
                "correct it"
            ) from None
        return text.strip()


_LONGEST_GROUP: Final = 256
"""The longest name of a group (Graph documentation of the type `group`)."""
_GroupReference: TypeAlias = Annotated[str, AfterValidator(_group)]
Groups = Annotated[
    tuple[_GroupReference, ...],
    Field(description="Names or ids of the groups that it is assigned to", examples=[["Field workers"]]),
]
ExcludedGroups = Annotated[
    tuple[_GroupReference, ...], Field(description="Names or ids of groups that are excluded")
]


Assignment: TypeAlias = AppAssignment | DeviceConfigurationAssignment
"""An assignment in Graph's form."""


class Assignable(Protocol):
    """A declared object with assignments."""

    @property
    def all_users(self) -> bool:
        """Return whether it is assigned to all licensed users."""
        ...

    @property
    def all_devices(self) -> bool:
        """Return whether it is assigned to all devices."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of the groups that it is assigned to, or names that are not yet looked up."""
        ...

    @property
    def excluded_groups(self) -> tuple[str, ...]:
        """Ids or names of the groups that are excluded from its assignment."""
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
    """The targets of the object's assignments."""
    if declared.all_users:
        yield {TYPE: _ALL_USERS}
    if declared.all_devices:
        yield {TYPE: _ALL_DEVICES}
    for group in declared.groups:
        yield {TYPE: _GROUP, "groupId": group}
    for group in declared.excluded_groups:
        yield {TYPE: _EXCLUDED_GROUP, "groupId": group}


def assignees(assignments: Iterable[Assignment]) -> Body:
    """Return the declaration keys that express the tenant's assignments."""
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
    """Return the target of an assignment in Graph's form."""
    return item.target.model_dump(mode="json", by_alias=True, exclude_none=True)


def wanted_targets(declared: Assignable, present: Iterable[Assignment]) -> list[Wire]:
    """Return the declared targets with the tenant's filters, and the targets that no file can express."""
    there = [target_of(item) for item in present]
    known = {identity(item): item for item in there}
    others = [item for item in there if not is_declarable(item)]
    return [*(known.get(identity(item), item) for item in targets(declared)), *others]


def is_declarable(target: Wire) -> bool:
    """Return whether a file can express the type of a target."""
    return target[TYPE] in _DECLARABLE


def undeclarable_targets(assignments: Iterable[Assignment]) -> Iterator[str]:
    """Return warnings about targets that a file cannot express."""
    for item in assignments:
        target = item.target
        if target.odata_type not in _DECLARABLE:
            yield text("the assignment {kind}", kind=target.odata_type.rpartition(".")[2])
        elif (target.model_extra or {}).get("deviceAndAppManagementAssignmentFilterId"):
            whom = target.group_id or target.odata_type.rpartition(".")[2]
            yield text("the filter of the assignment to {whom}", whom=whom)


def judge_assignment(declared: Assignable, what: str) -> Iterator[Finding]:
    """Return all findings about the assignment of an object; `what` is the noun for it."""
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
            hint="Add groups, or all_users: true.",
            fatal=False,
            what=what,
        )


def share_users(first: Assignable, second: Assignable) -> bool:
    """Return whether both are assigned to one group, or one of them to all users or devices."""
    if first.all_users or first.all_devices:
        return bool(second.all_users or second.all_devices or second.groups)
    if second.all_users or second.all_devices:
        return bool(first.groups)
    return not set(first.groups).isdisjoint(second.groups)
