"""Reports of the commands about objects, the same for all kinds."""

from typing import Annotated, Final, TypeAlias

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from mst_admin.change import Body, Change
from mstunnel_setup.base.result import Report

_AS_IN_GRAPH: Final[JsonDict] = {
    "type": "object",
    "description": "The object, as Graph has it.",
    "required": ["id"],
}
GraphObject: TypeAlias = Annotated[Body, Field(json_schema_extra=_AS_IN_GRAPH)]
"""An object of the tenant."""


GroupNames: TypeAlias = Annotated[
    dict[str, str], Field(description="Names of the groups, by id, if they can be read.")
]


class ObjectList(Report):
    """Objects of the tenant."""

    objects: tuple[GraphObject, ...]


class ObjectReport(Report):
    """One object of the tenant."""

    object: GraphObject


class DeclaredObject(ObjectReport):
    """One object of the tenant, and how it is declared."""

    declared: Body = Field(
        description="The object as a file would declare it.", json_schema_extra={"required": ["name"]}
    )
    groups: GroupNames = Field(default_factory=dict)


class ObjectIdentity(Report):
    """The identity of an object of the tenant."""

    id: str = Field(description="Id of the object.")


class ObjectCreation(ObjectReport):
    """A new object."""

    change: Change


class ObjectUpdate(ObjectIdentity):
    """A changed object; without a change it was so already."""

    change: Change | SkipJsonSchema[None] = None


class ObjectDeletion(ObjectIdentity):
    """A deleted object."""

    change: Change


class ObjectChanges(ObjectIdentity):
    """An object that was created, changed or deleted, with what belongs to it."""

    changes: tuple[Change, ...]


class LintReport(Report):
    """The errors and warnings found in an object."""

    given: str = Field(description="The file, name or id that was given.")
