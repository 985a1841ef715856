"""Request bodies of Graph: strict base models, error messages, and bodies of assignments."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from mstunnel_lab.errors import bad_request
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.answers.values import Line
from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import WireModel, wire_name
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration

OWN_TYPE: Final = "@odata.type"
Text = Annotated[StrictStr, Field(max_length=1500)]
Texts = tuple[StrictStr, ...]
FilledText = Annotated[StrictStr, Field(min_length=1)]
Name = Annotated[Line, Field(strict=True)]
Guid = Annotated[StrictStr, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


def _property_name(name: str) -> str:
    return OWN_TYPE if name == "odata_type" else wire_name(name)


class BodyPart(BaseModel):
    """The base of objects inside bodies: wire names only, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_property_name)

    def document(self) -> JsonObject:
        """Return all properties, as JSON values under wire names."""
        return self.model_dump(mode="json", by_alias=True)


class ReferenceBody(BodyPart):
    """A reference to an existing entity: {"id": …}."""

    id: Guid


class Body(BodyPart):
    """The base of bodies.

    `entity` is the wire model that it writes, `type_name` Graph's name of that, `code` the error code that
    this part of Graph uses for a bad request.
    """

    entity: ClassVar[type[WireModel]]
    type_name: ClassVar[str]
    code: ClassVar[str] = "BadRequest"

    def __init_subclass__(cls, entity: type[WireModel] | None = None, name: str = "") -> None:
        """Set `entity` and the type's name without its namespace, unless they are the base's."""
        super().__init_subclass__()
        if entity is not None:
            cls.entity = entity
        if name:
            cls.type_name = f"microsoft.graph.{name}"

    @classmethod
    def superseded(cls, _changes: Mapping[str, object]) -> set[str]:
        """Return the stored properties that `changes` make obsolete."""
        return set()

    def findings(self) -> Iterable[Finding]:
        """Return the findings of mst-admin's rules; the first one is reported."""
        return ()


class NamedBody(Body):
    """The properties common to all objects that an administrator names."""

    display_name: Name
    description: Text | None = None
    role_scope_tag_ids: Texts = ("0",)


B = TypeVar("B", bound=Body)


def judge(kind: type[B], document: object, stored: Mapping[str, object] | None = None) -> B:
    """Validate a body that creates an entity, or changes the one with the properties `stored`.

    Returns the whole new state of the writable properties; raises `GraphError` 400 for an unknown or
    read-only property, a wrong type or a wrong value.
    """
    if not isinstance(document, dict):
        raise bad_request("The request body must be a JSON object.", kind.code)
    changes = {
        name: value
        for name, value in document.items()
        if not (name == "@odata.type" and value == f"#{kind.type_name}")
    }
    writable = {wire_name(name) for name in kind.model_fields} - kind.superseded(changes)
    kept = {name: value for name, value in (stored or {}).items() if name in writable and value is not None}
    try:
        body = kind.model_validate(kept | changes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            message = f"A value is required for property '{path}' of resource '{kind.type_name}'."
        elif first["type"] != "extra_forbidden":
            message = text(
                "Invalid value specified for property '{property}' of resource '{kind}': {reason}",
                property=path,
                kind=kind.type_name,
                reason=problem_of(first),
            )
        elif path in {wire_name(name) for name in kind.entity.model_fields}:
            message = f"The property '{path}' is read-only and cannot be set."
        else:
            message = unknown_property(kind, path)
        raise bad_request(message, kind.code) from error
    for finding in body.findings():
        message = f"Invalid value specified for resource '{kind.type_name}': {finding.message!s}"
        raise bad_request(message, kind.code, finding.code)
    return body


def unknown_property(kind: type[Body], name: str) -> str:
    """Return Graph's message for a property that the type does not have."""
    return f"Invalid property '{name}': it does not exist on type '{kind.type_name}'."


class TypedPart(BodyPart):
    """A part that may state its type, as client libraries do."""

    odata_type: StrictStr | None = None


class KeyValuePairBody(TypedPart):
    """An entry of customKeyValueData and customSettings."""

    name: FilledText
    value: StrictStr | None = None


class _DeviceAndAppManagementAssignmentTarget(BodyPart):
    odata_type: Literal[
        "#microsoft.graph.groupAssignmentTarget",
        "#microsoft.graph.exclusionGroupAssignmentTarget",
        "#microsoft.graph.allLicensedUsersAssignmentTarget",
        "#microsoft.graph.allDevicesAssignmentTarget",
    ]
    group_id: Guid | None = None
    device_and_app_management_assignment_filter_id: Guid | None = None
    device_and_app_management_assignment_filter_type: Literal["none", "include", "exclude"] = "none"


class AssignmentBody(TypedPart):
    """One assignment of an object to a target."""

    target: _DeviceAndAppManagementAssignmentTarget


A = TypeVar("A", bound=AssignmentBody)


class AssignBody(Body, Generic[A], entity=DeviceConfiguration, name="deviceConfigurationAssignment"):
    """The body of the action assign."""

    assignments: tuple[A, ...]
