"""Base classes of the kinds of objects of a tenant."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, KindName, update
from mst_admin.errors import NAME_TAKEN, NAME_UNKNOWN
from mst_admin.kinds.lookup import FilePresent, Present, only, require_name
from mst_admin.kinds.reports import (
    DeclaredObject,
    LintReport,
    ObjectChanges,
    ObjectCreation,
    ObjectDeletion,
    ObjectList,
    ObjectReport,
    ObjectUpdate,
)
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects, names_of
from mst_admin.objects.configuration import changed, configuration_object
from mst_admin.objects.mam import mam_object
from mst_admin.objects.parts import NamedObject, without_empty
from mst_admin.objects.profile import ProfileObject
from mst_admin.objects.profile_wire import profile_object
from mst_admin.objects.site import Resolve, site_object
from mstunnel_setup.answers.describe import SchemaReport
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import TenantError, UsageError, declare
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.graph import GraphCollection, is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite

OBJECT_INVALID = declare(
    UsageError,
    "object-file-invalid",
    "{problem}",
    "Correct the file; `mst-admin {command} schema` prints a JSON Schema that editors check it with.",
)
OBJECT_UNKNOWN = declare(
    TenantError,
    "object-unknown",
    "the tenant has no {kind} {name}",
    "Create it with `mst-admin {command} create`.",
)
OBJECT_UNREADABLE = declare(
    UsageError, "object-file-unreadable", "the file {path} cannot be read: {reason}", "Check the path."
)

Declared = TypeVar("Declared", bound=BaseModel)
OptionPresent = TypeVar("OptionPresent", bound=TunnelConfiguration | TunnelSite | HealthThreshold)
FileDeclared = TypeVar("FileDeclared", bound=NamedObject | ProfileObject)


class References:
    """A cache of ids by name, which requests each id from Graph once, safe for threads."""

    def __init__(self, graph: AdminGraph) -> None:
        self.graph = graph
        self._ids: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def id_of(self, kind: "CommandKind[Any, Any]", wanted: str) -> str:
        """Return the id of the object with this name or id. Raises TenantError."""
        with self._lock:
            key = kind.name, wanted
            if key not in self._ids:
                self._ids[key] = kind.find(self.graph, wanted).id
            return self._ids[key]


class Kind(ABC, Generic[Declared, Present]):
    """A kind of objects, with its form in declarations, in plans and in Graph."""

    name: ClassVar[KindName]
    """Its name in changes."""
    what: ClassVar[str]
    """The noun for one object in messages."""
    section: ClassVar[str]
    """Its key in declarations and in `TenantObjects`."""
    key: ClassVar[str] = "name"
    """The declaration key that identifies an object."""
    certificate_key: ClassVar[str] = ""
    """The declaration key whose value may be the path of a certificate."""
    collection: ClassVar[GraphCollection[Any]]

    @property
    def label(self) -> str:
        """Return the noun for one object where other kinds are shown beside it."""
        return self.what

    @abstractmethod
    def judge(
        self, declared: Declared, beside: Declarations, resolve: Resolve | None, /
    ) -> Iterable[Finding]:
        """Return the findings about a declared object.

        `beside` has the other declared objects; `resolve` looks up host names.
        """

    @abstractmethod
    def declared(self, present: Present) -> Declared:
        """Return an object of the tenant in declaration form, without validation."""

    def not_declared(self, _present: Present) -> Iterable[Finding]:
        """Return findings about properties of a tenant's object that a declaration cannot express."""
        return ()

    def completed(self, declared: Declared) -> Declared:
        """Return the object with the certificate that its file names. Raises CertificateError."""
        return declared

    def present(self, tenant: TenantObjects) -> Sequence[Present]:
        """Return the objects of a tenant that can be declared."""
        found: Sequence[Present] = getattr(tenant, self.section)
        return found

    def declared_of(self, tenant: TenantObjects) -> Sequence[Declared]:
        """Return the objects of a tenant in declaration form, without validation."""
        return [self.declared(item) for item in self.present(tenant)]

    def key_of(self, declared: Declared) -> str:
        """Return the value that identifies an object of the tenant."""
        return str(getattr(declared, self.key))

    def names(self, tenant: TenantObjects) -> list[str]:
        """Return the names by which `apply` finds the objects of a tenant."""
        return [self.key_of(item) for item in self.declared_of(tenant)]

    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:
        """Return findings about properties of a tenant's objects that declarations cannot express."""
        for item in self.present(tenant):
            yield from self.not_declared(item)

    def missing(self, _declared: Declared, _planning: Planning) -> Iterable[tuple[str, str]]:
        """Return the key and a message for each reference to an object that will not exist."""
        return ()

    @abstractmethod
    def changes(self, declared: Declared, planning: Planning) -> Iterator[Change]:
        """Return the changes that make the tenant's object match its declaration.

        Raises TenantError, `name-ambiguous` among others.
        """

    def changes_to_prune(self, _planning: Planning) -> Iterable[Change]:
        """Return the deletions of `--prune`: of objects that are not declared."""
        return ()

    def collection_of(self, _change: Change) -> GraphCollection[Any]:
        """Return the Graph collection of the object of a change."""
        return self.collection

    def write(self, change: Change, references: References) -> None:
        """Make a change: create, update or delete an object."""
        graph, identifier, of = references.graph, change.identifier, self.collection_of(change)
        if change.verb == "delete":
            graph.delete(of, identifier)
            return
        body = self.properties(change, references)
        if change.verb == "create":
            identifier = self.created(graph, of, body)
        elif body:
            kind = {TYPE: change.before[TYPE]} if TYPE in change.before else {}
            graph.update(of, identifier, body | kind)
        self.complete(change, identifier, references)

    def properties(self, change: Change, _references: References) -> Body:
        """Return the properties to write; names of other objects are replaced by their ids."""
        return {name: value for name, value in change.after.items() if name != ASSIGNMENTS}

    def created(self, graph: AdminGraph, of: GraphCollection[Any], body: Body) -> str:
        """Create an object and return its id."""
        return str(graph.create(of, body).id)

    def complete(self, change: Change, identifier: str, references: References) -> None:
        """Write what Graph changes through separate actions."""
        if ASSIGNMENTS in change.after:
            assigned = self.assigned(change, references)
            references.graph.assign(self.collection_of(change), identifier, assigned)

    def assigned(self, change: Change, _references: References) -> list[Body]:
        """Return the assignments to write."""
        return [{"target": dict(item)} for item in change.after[ASSIGNMENTS]]


class CommandKind(Kind[Declared, Present]):
    """A kind with commands about one object of the tenant."""

    command: ClassVar[str]
    """The name of the command group, the word after `mst-admin`."""
    reports: ClassVar[Mapping[str, type[Report]]]
    """The report classes of the commands below it."""
    head: ClassVar[tuple[str, ...]]
    """The header of the table that `list` shows."""

    @abstractmethod
    def row(self, present: Present) -> tuple[str, ...]:
        """Return the row of an object in the table; its name comes first."""

    @property
    def nothing(self) -> str:
        """Return the text shown instead of an empty table."""
        return text("There is no {what} yet.", what=self.label)

    def title(self, present: Present) -> str:
        """Return the name of an object."""
        return self.row(present)[0]

    def by_id(self, _graph: AdminGraph, _identifier: str) -> Present | None:
        """Return the object with this id, or None where Graph cannot be asked by id."""
        return None

    @abstractmethod
    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[Present]:
        """Return all objects, or those of this name."""

    def all(self, graph: AdminGraph) -> Sequence[Present]:
        """Return the objects that a list shows, in its order."""
        return sorted(self.named(graph), key=lambda item: self.title(item).casefold())

    def find(self, graph: AdminGraph, wanted: str) -> Present:
        """Return the object with this name or id.

        Raises UsageError `name-empty`, TenantError `name-unknown` and `name-ambiguous`.
        """
        require_name(self.what, wanted, self.command)
        found = self.by_id(graph, wanted) if is_guid(wanted) else None
        found = found or only(self.named(graph, wanted), self.what, wanted)
        if found is None:
            raise NAME_UNKNOWN(place="tenant", kind=self.what, name=wanted, command=self.command)
        return found

    def require_free(self, name: str, found: Collection[object]) -> None:
        """Raise TenantError `name-taken` if an object of this name exists; Graph itself allows duplicates."""
        if found:
            command = f"{self.command} update"
            raise NAME_TAKEN(place="tenant", kind=self.what, name=name, command=command)

    @abstractmethod
    def wire(self, present: Present) -> Body:
        """Return the properties of an object in Graph's form."""

    @abstractmethod
    def shown(self, _graph: AdminGraph, present: Present) -> tuple[Report, Body]:
        """Return the report of `show`, and its lines."""

    def changes_to_delete(self, present: Present, _tenant: TenantObjects) -> Iterator[Change]:
        """Return the changes that delete an object and its dependent objects."""
        yield Change("delete", self.name, self.title(present), present.id)

    def kept(self, planning: Planning) -> set[str]:
        """Return the names of the objects that `--prune` does not delete."""
        return names_of(getattr(planning.declared, self.section))

    def changes_to_prune(self, planning: Planning) -> Iterable[Change]:
        """Return the deletions of `--prune`: of objects that are not declared."""
        kept = self.kept(planning)
        for item in self.present(planning.tenant):
            if self.title(item).casefold() not in kept:
                yield from self.changes_to_delete(item, planning.tenant)

    def deletion_to_confirm(self, _graph: AdminGraph, present: Present) -> tuple[str, Sequence[Change]]:
        """Return the confirmation question for a deletion, and the changes that delete the object."""
        question = text(
            "Delete the {kind} {name} ({id})?", kind=self.what, name=self.title(present), id=present.id
        )
        return question, list(self.changes_to_delete(present, TenantObjects()))

    @abstractmethod
    def deleted(self, present: Present, changes: Sequence[Change]) -> Report:
        """Return the report of `delete`."""


class OptionKind(CommandKind[Declared, OptionPresent]):
    """A kind whose objects are created and changed by options."""

    reports: ClassVar[Mapping[str, type[Report]]] = {
        "list": ObjectList,
        "show": ObjectReport,
        "create": ObjectCreation,
        "update": ObjectUpdate,
        "delete": ObjectDeletion,
    }
    model: ClassVar[type[BaseModel]]
    """The type of a declared object."""
    required: ClassVar[Body] = {}
    """Values of keys that a declaration requires but options may omit."""
    stand_in: ClassVar[Body] = {}
    """Placeholders for the tenant's values, used to validate options before signing in."""

    @abstractmethod
    def body(self, declared: Declared, now: datetime, /) -> Body:
        """Return the Graph body; `now` decides about daylight saving time."""

    def by_id(self, graph: AdminGraph, identifier: str) -> OptionPresent | None:
        """Return the object with this id."""
        found: OptionPresent | None = graph.find(self.collection, identifier)
        return found

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[OptionPresent]:
        """Return all objects, or those of this name."""
        return graph.objects(self.collection, name)

    def change(self, declared: Declared, present: OptionPresent | None, now: datetime) -> Iterator[Change]:
        """Return the change that makes `present` match its declaration; None for a new object."""
        name, body = self.key_of(declared), self.body(declared, now)
        if present is None:
            yield Change("create", self.name, name, after=without_empty(body))
            return
        before = self.body(self.declared(present), now)
        yield from update(self.name, name, present.id, before, changed(before, body))

    def changes(self, declared: Declared, planning: Planning) -> Iterator[Change]:
        """Return the change that makes the tenant's object as declared."""
        name = self.key_of(declared)
        there = self.present(planning.tenant)
        found = [item for item in there if self.title(item).casefold() == name.casefold()]
        yield from self.change(declared, only(found, self.what, name), planning.now)

    def wire(self, present: OptionPresent) -> Body:
        """Return the properties of an object in Graph's form."""
        return present.to_wire()

    def updated(self, identifier: str, changes: Sequence[Change]) -> ObjectUpdate:
        """Return the report of `update`."""
        return ObjectUpdate(id=identifier, change=changes[0]) if changes else ObjectUpdate(id=identifier)

    def deleted(self, present: OptionPresent, changes: Sequence[Change]) -> Report:
        """Return the report of `delete`."""
        return ObjectDeletion(id=present.id, change=changes[0])


class FileKind(CommandKind[FileDeclared, FilePresent]):
    """A kind whose objects are each declared in a file."""

    reports: ClassVar[Mapping[str, type[Report]]] = {
        "list": ObjectList,
        "show": DeclaredObject,
        "create": ObjectChanges,
        "update": ObjectChanges,
        "delete": ObjectChanges,
        "lint": LintReport,
        "schema": SchemaReport,
    }
    file: ClassVar[type[BaseModel]]
    """The model of a file."""
    empty: ClassVar[frozenset[tuple[str, ...]]]
    """Paths of keys in a file that may be empty."""
    unknown: ClassVar[Callable[..., TenantError]] = OBJECT_UNKNOWN
    """The error about an object that does not exist."""
    unreadable: ClassVar[Callable[..., UsageError]] = OBJECT_UNREADABLE
    """The error about a file that cannot be read."""
    invalid: ClassVar[Callable[..., UsageError]] = OBJECT_INVALID
    """The error about a problem in a file."""

    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[FilePresent]:
        """Return those with this name, id or key, with their assignments."""
        return self.named(graph, wanted)

    @abstractmethod
    def surroundings(
        self, graph: AdminGraph, declared: FileDeclared, _present: Sequence[FilePresent]
    ) -> tuple[FileDeclared, TenantObjects]:
        """Return the object with names instead of ids, and the objects that its rules need."""

    def wire(self, present: FilePresent) -> Body:
        """Return the properties of an object in Graph's form."""
        return present.wire

    def shown(self, _graph: AdminGraph, present: FilePresent) -> tuple[Report, Body]:
        """Return the object in Graph's form and as a file would declare it."""
        declared = self.declared(present).model_dump(mode="json", exclude_defaults=True)
        return DeclaredObject(object=present.wire, declared=declared), {**declared, "id": present.id}

    def lint(self, graph: AdminGraph, wanted: str) -> Iterable[Finding]:
        """Return the findings about an object of the tenant."""
        declared, tenant = self.surroundings(graph, self.declared(self.find(graph, wanted)), ())
        return self.judge(declared, self.beside(tenant), None)

    def beside(self, tenant: TenantObjects) -> Declarations:
        """Return the other objects of the tenant for rules that involve several objects."""
        return Declarations.model_construct(
            configurations=tuple(map(configuration_object, tenant.configurations)),
            sites=tuple(map(site_object, tenant.sites)),
            profiles=tuple(profile_object(item.found, item.assignments) for item in tenant.profiles),
            mam=tuple(map(mam_object, tenant.mam)),
        )

    def written(self, graph: AdminGraph, declared: FileDeclared, changes: Sequence[Change]) -> Report:
        """Return the report of `create` and `update`."""
        found = self.find(graph, self.key_of(declared))
        return ObjectChanges(id=found.id, changes=tuple(changes))

    def deleted(self, present: FilePresent, changes: Sequence[Change]) -> Report:
        """Return the report of `delete`."""
        return ObjectChanges(id=present.id, changes=tuple(changes))
