"""What the commands about objects return; `CommandKind.report` gives it the keys of a kind."""

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from mst_admin.change import Body, Change
from mstunnel_setup.base.result import Report


def wire_schema(kind: str, *properties: str) -> JsonDict:
    """The JSON Schema of an object of this type in Graph, which has at least these properties."""
    return {"type": "object", "description": f"{kind}, as Graph has it.", "required": [*properties]}


class ObjectList(Report):
    """Objects of the tenant."""

    documents: tuple[Body, ...]


class ObjectReport(Report):
    """One object of the tenant."""

    document: Body


class DeclaredObject(ObjectReport):
    """One object of the tenant, and how it is declared."""

    declared: Body = Field(
        description="The object as a file would declare it.", json_schema_extra={"required": ["name"]}
    )


class ObjectIdentity(Report):
    """What identifies an object of the tenant."""

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
    """What is wrong with an object: errors and warnings."""

    given: str
