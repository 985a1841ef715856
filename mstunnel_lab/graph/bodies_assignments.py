"""Bodies that say to whom an entity is assigned."""

from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import Field, StrictStr

from mstunnel_lab.graph.bodies import Body, Guid, Part
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import DeviceConfiguration, WireModel

GRAPH: Final = "microsoft.graph."
OWN_TYPE: Final = "@odata.type"


class TypedPart(Part):
    """A part that may say of which type it is, as client libraries do."""

    odata_type: Annotated[StrictStr | None, Field(alias=OWN_TYPE)] = None


class TargetBody(Part):
    """deviceAndAppManagementAssignmentTarget."""

    odata_type: Annotated[
        Literal[
            "#microsoft.graph.groupAssignmentTarget",
            "#microsoft.graph.exclusionGroupAssignmentTarget",
            "#microsoft.graph.allLicensedUsersAssignmentTarget",
            "#microsoft.graph.allDevicesAssignmentTarget",
        ],
        Field(alias=OWN_TYPE),
    ]
    group_id: Guid | None = None
    device_and_app_management_assignment_filter_id: Guid | None = None
    device_and_app_management_assignment_filter_type: Literal["none", "include", "exclude"] = "none"


class AssignmentBody(TypedPart):
    """One assignment."""

    target: TargetBody


A = TypeVar("A", bound=AssignmentBody)


class AssignBody(Body, Generic[A]):
    """Body of the action assign."""

    entity: ClassVar[type[WireModel]] = DeviceConfiguration
    type_name = f"{GRAPH}deviceConfigurationAssignment"

    assignments: tuple[A, ...]

    def assigned(self) -> list[JsonObject]:
        """Return the assignments as JSON values under wire names."""
        return [
            {name: value for name, value in item.document().items() if name != OWN_TYPE}
            for item in self.assignments
        ]
