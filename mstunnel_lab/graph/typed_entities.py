"""Entities whose collection has several types, each named by `@odata.type`; and to whom they are assigned."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import may_read_tunnel, may_write_tunnel
from mstunnel_lab.errors import BAD_REQUEST, GraphError
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.bodies_assignments import OWN_TYPE, AssignBody
from mstunnel_lab.graph.http import Entities, caller_of, collection, read_body
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.tenant.wire import DeviceConfigurationAssignment, IntuneObject
from mstunnel_setup.tenant.wire_apps import AppAssignment

T = TypeVar("T", bound=IntuneObject)
_PREFIX: Final = "#microsoft.graph."


@dataclass(frozen=True)
class TypedEntities(Generic[T]):
    """The entities of one collection below `root`, and what Graph answers about them and their assignments.

    `bodies` are the types that can be created, by `@odata.type`; a collection of one type needs none named.
    `prefix` begins the ids, `assignment` is how assignments are kept, and `assign` the body that writes them.
    """

    root: str
    segment: str
    model: type[T]
    name: str
    bodies: Mapping[str, type[Body]]
    assignment: type[DeviceConfigurationAssignment | AppAssignment]
    assign: type[AssignBody[Any]]
    prefix: str = ""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the collection, of one entity, and of its assignments."""
        plain = Entities(
            self.segment,
            entity_type(f"microsoft.graph.{self.name}", self.model),
            self.model,
            self.model.document,
            self.create,
            self.change,
            self.remove,
            self.root,
        )
        return (
            *plain.routes,
            Route(f"/{self.segment}/{{id}}/assign", self.answer_assign, methods=["POST"]),
            Route(f"/{self.segment}/{{id}}/assignments", self.answer_assignments),
        )

    def create(self, lab: Lab, document: object) -> T:
        """Make an entity of the type that the document names."""
        kind = self._kind(document)
        identifier = f"{self.prefix}{uuid.uuid4()}"
        created = self._state(kind, judge(kind, document).document(), {"id": identifier})
        lab.store.add(created)
        return created

    def change(self, lab: Lab, found: T, document: object) -> T:
        """Change an entity; its type stays."""
        kind = self._kind(document)
        if f"#{kind.type_name}" != found.odata_type:
            raise GraphError(BAD_REQUEST, "BadRequest", f"The type of a {self.name} cannot be changed.")
        changed = self._state(kind, judge(kind, document, found.document()).document(), found.document())
        lab.store.replace(changed)
        return changed

    def remove(self, lab: Lab, found: T) -> None:
        """Remove an entity and its assignments."""
        with lab.store.transaction():
            self._remove_assignments(lab, found.id)
            lab.store.remove(self.model, found.id)

    async def answer_assignments(self, request: Request) -> Response:
        """List to whom an entity is assigned."""
        may_read_tunnel(caller_of(request))
        return self._assigned(request, lab_of(request).required(self.model, request.path_params["id"]).id)

    async def answer_assign(self, request: Request) -> Response:
        """Replace the assignments of an entity."""
        lab = lab_of(request)
        may_write_tunnel(caller_of(request))
        found = lab.required(self.model, request.path_params["id"])
        body = await read_body(request, self.assign)
        with lab.store.transaction():
            self.replace_assignments(lab, found.id, body)
        return self._assigned(request, found.id)

    def replace_assignments(self, lab: Lab, identifier: str, body: AssignBody[Any]) -> None:
        """Assign an entity to what the body names; raises `GraphError` 400."""
        wanted = [self._assignment(identifier, item) for item in body.assigned()]
        if len({item.id for item in wanted}) < len(wanted):
            raise GraphError(BAD_REQUEST, "BadRequest", "A target is assigned more than once.")
        self._remove_assignments(lab, identifier)
        for item in wanted:
            lab.store.add(item, parent=identifier)

    def assign_to(self, lab: Lab, identifier: str, assignments: list[JsonObject]) -> None:
        """Assign an entity as the action assign does with these; raises `GraphError` 400."""
        name = self.assign.model_fields["assignments"].alias or "assignments"
        self.replace_assignments(lab, identifier, judge(self.assign, {name: assignments}))

    def _kind(self, document: object) -> type[Body]:
        name = document.get(OWN_TYPE) if isinstance(document, dict) else None
        if name is None and len(self.bodies) == 1:
            return next(iter(self.bodies.values()))
        kind = self.bodies.get(str(name))
        if kind is None:
            message = f"The type '{name}' is not known: a {self.name} needs an @odata.type."
            raise GraphError(BAD_REQUEST, "BadRequest", message)
        return kind

    def _state(self, kind: type[Body], body: JsonObject, known: JsonObject) -> T:
        """The state after a body was written; numbered where the type has a whole number as its version."""
        now = datetime.now(UTC).isoformat()
        times = {"createdDateTime": known.get("createdDateTime") or now, "lastModifiedDateTime": now}
        numbered = self.model.model_fields.get("version")
        version = known.get("version")
        number = {"version": (version if isinstance(version, int) else 0) + 1} if numbered else {}
        return self.model.from_wire({OWN_TYPE: f"#{kind.type_name}", **known, **body, **times, **number})

    def _assignment(self, identifier: str, item: JsonObject) -> DeviceConfigurationAssignment | AppAssignment:
        target = as_object(item["target"])
        who = target.get("groupId") or str(target[OWN_TYPE]).removeprefix(_PREFIX)
        return self.assignment.from_wire({"id": f"{identifier}_{who}", **item})

    def _remove_assignments(self, lab: Lab, identifier: str) -> None:
        for item in lab.store.each(self.assignment, parent=identifier):
            lab.store.remove(self.assignment, item.id)

    def _assigned(self, request: Request, identifier: str) -> Response:
        found = lab_of(request).store.each(self.assignment, parent=identifier)
        kind = entity_type(f"microsoft.graph.{self.name}Assignment", self.assignment)
        context = f"{self.root}/{self.segment}('{identifier}')/assignments"
        return collection(request, [item.document() for item in found], kind, context)
