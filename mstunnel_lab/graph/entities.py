"""Collections of Graph: reading, changing and assigning their entities."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import AccessRule, Caller, may_read_intune, may_write_intune
from mstunnel_lab.errors import GraphError, bad_request, not_found
from mstunnel_lab.graph import http
from mstunnel_lab.graph.approvals import approved_change
from mstunnel_lab.graph.bodies import OWN_TYPE, AssignBody, AssignmentBody, Body, judge
from mstunnel_lab.state import Lab, lab_of
from mstunnel_lab.store import Entity
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.tenant.wire_intune import AppAssignment, DeviceConfigurationAssignment, IntuneObject


class WireEntity(Entity, Protocol):
    """An entity that can be stored and has a wire format."""

    def document(self) -> JsonObject:
        """Return all properties under their wire names."""
        ...

    @classmethod
    def from_wire(cls, document: object) -> Self:
        """Return the entity in its wire format."""
        ...


Found = TypeVar("Found", bound=WireEntity)
Typed = TypeVar("Typed", bound=IntuneObject)
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Entities(Generic[Found]):
    """The entities below `root`/`segment`, stored as `model`.

    `bodies` write them, the first one an entity without a stated type. `family` is Graph's name of their type
    unless it is that of the only body. Ids begin with `prefix`. They may be below those of another
    collection, their `parent`. `methods` are those of one entity; the response to a change contains the
    entity, unless it is `quiet`. Creating one requires `may_create`, deleting one `may_delete`, by default
    `may_write`. With `counted`, the collection has a `$count`.
    """

    segment: str
    model: type[Found]
    bodies: tuple[type[Body], ...]
    root: str = "deviceManagement"
    family: str = ""
    prefix: str = ""
    parent: "Entities[Any] | None" = None
    navigation: tuple[str, ...] = ()
    filterable: tuple[str, ...] = ()
    may_read: AccessRule = may_read_intune
    may_write: AccessRule = may_write_intune
    may_create: AccessRule | None = None
    may_delete: AccessRule | None = None
    methods: tuple[str, ...] = ("GET", "PATCH", "DELETE")
    quiet: bool = False
    counted: bool = True

    @property
    def name(self) -> str:
        """Graph's name of the entities' type."""
        return self.family or self.bodies[0].type_name.removeprefix("microsoft.graph.")

    @property
    def kind(self) -> http.EntityType:
        """The properties that query options may name."""
        return http.EntityType(self.name, self.bodies[0].entity, self.navigation, self.filterable)

    @property
    def path(self) -> str:
        """The path of the collection below its root."""
        return f"{self.parent.path}/{{parent}}/{self.segment}" if self.parent else f"/{self.segment}"

    def context(self, parent: str | None = None) -> str:
        """Return the path of the collection in `@odata.context`."""
        if self.parent:
            return f"{self.parent.context()}('{parent}')/{self.segment}"
        return f"{self.root}/{self.segment}".lstrip("/")

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the collection and of one entity."""
        return (
            *([Route(f"{self.path}/$count", self._answer_count)] if self.counted else []),
            Route(self.path, self._answer_collection, methods=["GET", "POST"]),
            Route(f"{self.path}/{{id}}", self.answer, methods=self.methods),
        )

    def missing(self, identifier: str) -> GraphError:
        """Return the refusal for an entity that does not exist."""
        return not_found(self.name, identifier)

    def find(self, lab: Lab, identifier: str, parent: str | None = None) -> Found:
        """Return the entity with this id; raises `GraphError` 404."""
        found = lab.store.get(self.model, identifier, parent)
        if found is None:
            raise self.missing(identifier)
        return found

    def named_in(self, request: Request) -> Found:
        """Return the entity in a path; raises `GraphError` 404."""
        return self.find(lab_of(request), request.path_params["id"], self._parent_in(request))

    def document(self, _lab: Lab, found: Found, _expand: frozenset[str] = frozenset()) -> JsonObject:
        """Return an entity as Graph shows it, with the navigation properties that a query expands."""
        return found.document()

    def require(self, _method: str, _lab: Lab, _caller: Caller, _found: Found, /) -> None:
        """Raise `GraphError` 403 for a caller who may not change (PATCH) or remove (DELETE) this entity."""

    def create_as(self, _caller: Caller, lab: Lab, document: object, _parent: str) -> Found:
        """Create an entity for a caller, below its parent; raises `GraphError`."""
        return self.create(lab, document)

    def change_as(self, _caller: Caller, lab: Lab, found: Found, document: object) -> Found:
        """Change an entity for a caller; raises `GraphError`."""
        return self.change(lab, found, document)

    def create(self, lab: Lab, document: object) -> Found:
        """Create an entity; raises `GraphError`."""
        body = judge(self.body_for(document), document)
        created = self.state(lab, body, {"id": f"{self.prefix}{uuid.uuid4()}"})
        lab.store.add(created)
        return created

    def change(self, lab: Lab, found: Found, document: object) -> Found:
        """Change an entity; raises `GraphError`."""
        body = judge(self.body_for(document), document, self.document(lab, found))
        changed = self.state(lab, body, found.document())
        lab.store.replace(changed)
        return changed

    def remove(self, lab: Lab, found: Found) -> None:
        """Remove an entity; raises `GraphError`."""
        lab.store.remove(self.model, found.id)

    def body_for(self, _document: object) -> type[Body]:
        """Return the body that reads a document; raises `GraphError` 400 for an unknown type."""
        return self.bodies[0]

    def state(self, _lab: Lab, body: Body, known: JsonObject) -> Found:
        """Return the entity after a body was written; `known` is its previous state."""
        return self.model.from_wire(known | body.document())

    def _parent_in(self, request: Request) -> str | None:
        if self.parent is None:
            return None
        return str(self.parent.find(lab_of(request), request.path_params["parent"]).id)

    async def _answer_collection(self, request: Request) -> Response:
        is_read = request.method == "GET"
        lab, caller = http.admitted(request, self.may_read if is_read else self.may_create or self.may_write)
        parent = self._parent_in(request)
        context = self.context(parent)
        if is_read:
            found = lab.store.each(self.model, parent)
            return http.collection(request, found, partial(self.document, lab), self.kind, context)
        async with approved_change(request, lab, caller, self.segment):
            created = self.create_as(caller, lab, await http.read_json(request), parent or "")
        return http.entity(request, self.document(lab, created), f"{context}/$entity", http.CREATED)

    def below(self, name: str, endpoint: Endpoint, *methods: str) -> Route:
        """Return the route of an action or a property of one entity."""
        return Route(f"{self.path}/{{id}}/{name}", endpoint, methods=methods)

    async def _answer_count(self, request: Request) -> Response:
        lab, _ = http.admitted(request, self.may_read)
        return PlainTextResponse(str(len(lab.store.each(self.model, self._parent_in(request)))))

    async def answer(self, request: Request, identifier: str = "") -> Response:
        """Read, change or delete one entity, by default the one in the path."""
        rules = {"GET": self.may_read, "DELETE": self.may_delete or self.may_write}
        lab, caller = http.admitted(request, rules.get(request.method, self.may_write))
        parent = self._parent_in(request)
        found = self.find(lab, identifier or request.path_params["id"], parent)
        context = f"{self.context(parent)}/$entity"
        if request.method == "GET":
            return http.one(request, found, partial(self.document, lab), self.kind, context)
        self.require(request.method, lab, caller, found)
        async with approved_change(request, lab, caller, self.segment):
            if request.method == "DELETE":
                self.remove(lab, found)
                return Response(status_code=http.NO_CONTENT)
            changed = self.change_as(caller, lab, found, await http.read_json(request))
        if self.quiet:
            return Response(status_code=http.NO_CONTENT)
        return http.entity(request, self.document(lab, changed), context)


@dataclass(frozen=True)
class AssignedEntities(Entities[Typed]):
    """Entities of several types, named by `@odata.type`, with assignments to groups, users and devices.

    `assignment` is the model of stored assignments, `assign` the body that writes them.
    """

    assignment: type[DeviceConfigurationAssignment | AppAssignment] = AppAssignment
    assign: type[AssignBody[Any]] = AssignBody[AssignmentBody]
    counted: bool = False

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the entities and of their assignments."""
        return (
            *super().routes,
            self.below("assign", self._answer_assignments, "POST"),
            self.below("assignments", self._answer_assignments, "GET"),
        )

    def change(self, lab: Lab, found: Typed, document: object) -> Typed:
        """Change an entity without changing its type."""
        if f"#{self.body_for(document).type_name}" != found.odata_type:
            raise bad_request(f"The type of a {self.name} cannot be changed.")
        return super().change(lab, found, document)

    def remove(self, lab: Lab, found: Typed) -> None:
        """Remove an entity and its assignments."""
        with lab.store.transaction():
            lab.store.remove_below(self.assignment, found.id)
            super().remove(lab, found)

    def body_for(self, document: object) -> type[Body]:
        """Return the body for the type in a document."""
        name = document.get(OWN_TYPE) if isinstance(document, dict) else None
        if name is None and len(self.bodies) == 1:
            return self.bodies[0]
        kind = next((body for body in self.bodies if f"#{body.type_name}" == name), None)
        if kind is None:
            message = f"The type '{name}' is not known: a {self.name} needs an @odata.type."
            raise bad_request(message)
        return kind

    def state(self, _lab: Lab, body: Body, known: JsonObject) -> Typed:
        """Return the state after a body was written; increment an integer version."""
        now = datetime.now(UTC).isoformat()
        facts: JsonObject = {
            "createdDateTime": known.get("createdDateTime") or now,
            "lastModifiedDateTime": now,
        }
        if "version" in self.model.model_fields:
            version = known.get("version")
            facts["version"] = (version if isinstance(version, int) else 0) + 1
        return self.model.from_wire({OWN_TYPE: f"#{body.type_name}", **known, **body.document(), **facts})

    def replace_assignments(self, lab: Lab, identifier: str, body: AssignBody[Any]) -> None:
        """Assign an entity to the targets in the body; raises `GraphError` 400."""
        wanted: dict[str, DeviceConfigurationAssignment | AppAssignment] = {}
        for assignment in body.assignments:
            item = {name: value for name, value in assignment.document().items() if name != OWN_TYPE}
            target = as_object(item["target"])
            who = target.get("groupId") or str(target[OWN_TYPE]).removeprefix("#microsoft.graph.")
            key = f"{identifier}_{who}"
            if key in wanted:
                raise bad_request("A target is assigned more than once.")
            wanted[key] = self.assignment.from_wire({"id": key, **item})
        lab.store.remove_below(self.assignment, identifier)
        for made in wanted.values():
            lab.store.add(made, parent=identifier)

    async def _answer_assignments(self, request: Request) -> Response:
        """List the assignments of an entity; a POST replaces them first."""
        is_change = request.method == "POST"
        lab, caller = http.admitted(request, self.may_write if is_change else self.may_read)
        identifier = self.named_in(request).id
        if is_change:
            async with approved_change(request, lab, caller, self.segment):
                body = await http.read_body(request, self.assign)
                with lab.store.transaction():
                    self.replace_assignments(lab, identifier, body)
        found = lab.store.each(self.assignment, parent=identifier)
        kind = http.EntityType(f"{self.name}Assignment", self.assignment)
        context = f"{self.context()}('{identifier}')/assignments"
        return http.collection(request, found, http.document, kind, context)
