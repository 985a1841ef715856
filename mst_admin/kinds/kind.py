"""What the kinds of objects of a tenant have in common, and how objects are found by name or id."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel
from typing_extensions import override

from mst_admin.change import Body, Change, KindName
from mst_admin.errors import NAME_AMBIGUOUS, NAME_UNKNOWN
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects, names_of
from mst_admin.objects.configuration import ConfigurationObject, configuration_object
from mst_admin.objects.mam import mam_object
from mst_admin.objects.parts import NamedObject
from mst_admin.objects.profile import ProfileObject
from mst_admin.objects.profile_wire import profile_object
from mst_admin.objects.site import Resolve, SiteObject, site_object
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.tenant.graph import SITES, is_guid
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, AdminGraph
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelSite


class HasId(Protocol):
    """An object of the tenant."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


class HasName(HasId, Protocol):
    """An object of the tenant with a name."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def wire(self) -> Body:
        """Its properties."""
        ...


Declared = TypeVar("Declared", bound=BaseModel)
Present = TypeVar("Present")
Found = TypeVar("Found", bound=HasId)
OptionDeclared = TypeVar("OptionDeclared", ConfigurationObject, SiteObject)
OptionPresent = TypeVar("OptionPresent", TunnelConfiguration, TunnelSite)
FileDeclared = TypeVar("FileDeclared", bound=NamedObject | ProfileObject)
FilePresent = TypeVar("FilePresent", bound=HasName)


class References:
    """Graph, and the ids of what others refer to by name: each requested once, in however many threads."""

    def __init__(self, graph: AdminGraph) -> None:
        self.graph = graph
        self._ids: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def configuration_id(self, wanted: str) -> str:
        """The id of the server configuration with this name or id. Raises TenantError."""

        def find() -> TunnelConfiguration | None:
            named = only(self.graph.objects(CONFIGURATIONS, wanted), "server configuration", wanted)
            everything = iter(() if named else self.graph.objects(CONFIGURATIONS))
            return named or next((item for item in everything if item.id == wanted.lower()), None)

        return self._id("server configuration", "config", wanted, find)

    def site_id(self, wanted: str) -> str:
        """The id of the site with this name. Raises TenantError."""
        return self._id(
            "site", "site", wanted, lambda: only(self.graph.objects(SITES, wanted), "site", wanted)
        )

    def _id(self, what: str, command: str, wanted: str, find: Callable[[], HasId | None]) -> str:
        with self._lock:
            if (what, wanted) not in self._ids:
                found = find()
                if found is None:
                    raise NAME_UNKNOWN(place="tenant", kind=what, name=wanted, command=command)
                self._ids[what, wanted] = found.id
            return self._ids[what, wanted]


class Kind(ABC, Generic[Declared, Present]):
    """One kind of objects: in declarations, in the plan, in Graph, and in the commands about it.

    `name` is that of its changes, `what` what people call one, `section` its key in declarations, `key` the
    key that identifies an object there, `certificate_key` the key that may name a certificate.
    """

    name: ClassVar[KindName]
    what: ClassVar[str]
    section: ClassVar[str]
    key: ClassVar[str] = "name"
    certificate_key: ClassVar[str] = ""

    # In declarations and in a plan.

    @abstractmethod
    def judge(
        self, declared: Declared, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        """What is wrong with a declared object; `beside` are the others, `resolve` looks names up."""

    def completed(self, declared: Declared) -> Declared:
        """The object with the certificate that its file names. Raises CertificateError."""
        return declared

    @abstractmethod
    def present(self, tenant: TenantObjects) -> Sequence[Present]:
        """Those of a tenant that declarations can speak about."""

    @abstractmethod
    def declared(self, present: Present) -> Declared:
        """One of the tenant as it would be declared; its values are not judged."""

    def declared_of(self, tenant: TenantObjects) -> Sequence[Declared]:
        """What declarations can say of a tenant; values are not judged."""
        return [self.declared(item) for item in self.present(tenant)]

    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:  # noqa: ARG002 (some kinds have none)
        """What the objects of a tenant have beside what declarations can say."""
        yield from ()

    def missing(self, declared: Declared, planning: Planning) -> Iterator[tuple[str, str]]:  # noqa: ARG002 (some kinds have none)
        """What a declared object names and will not be there: its key, and a message."""
        yield from ()

    @abstractmethod
    def changes(self, declared: Declared, planning: Planning) -> Iterator[Change]:
        """What makes the tenant's object as declared. Raises TenantError, `name-ambiguous` among others."""

    def deletions(self, planning: Planning) -> Iterator[Change]:  # noqa: ARG002 (some kinds have none)
        """What deletes the objects that are not declared, where `--prune` deletes any of this kind."""
        yield from ()

    # In Graph.

    @abstractmethod
    def create(self, change: Change, references: References) -> None:
        """Make a change that creates an object."""

    @abstractmethod
    def update(self, change: Change, references: References) -> None:
        """Make a change of an object."""

    @abstractmethod
    def delete(self, change: Change, references: References) -> None:
        """Make a change that deletes an object."""


class CommandKind(Kind[Declared, Present]):
    """A kind with commands about one object of the tenant.

    `command`, `result` and `head` are the word after `mst-admin`, the key in results, and the head of the
    table of its list; `nothing` is shown instead if it is not the usual text. `label` is what people
    call one among other kinds.
    """

    command: ClassVar[str]
    result: ClassVar[str]
    head: ClassVar[tuple[str, ...]]
    label: ClassVar[str]
    nothing: ClassVar[str] = ""

    @abstractmethod
    def all(self, graph: AdminGraph) -> Sequence[Present]:
        """What a list shows, in its order."""

    @abstractmethod
    def find(self, graph: AdminGraph, wanted: str) -> Present:
        """The one with this name or id. Raises what `find_one` raises."""

    @abstractmethod
    def row(self, present: Present) -> tuple[str, ...]:
        """Its row in a list."""

    @abstractmethod
    def wire(self, present: Present) -> Body:
        """Its properties."""

    @abstractmethod
    def shown(self, graph: AdminGraph, present: Present) -> tuple[Body, Body]:
        """The data and the lines of `show`."""

    @abstractmethod
    def removal(self, graph: AdminGraph, present: Present) -> tuple[str, Sequence[Change], Body]:
        """What to ask before one is deleted, the changes that delete it, and its identity in the result."""


class OptionKind(CommandKind[OptionDeclared, OptionPresent]):
    """A kind whose objects are created and changed by options.

    `model` is that of a declared object, `required` its keys that options need not give, with their values.
    """

    model: ClassVar[type[Any]]
    required: ClassVar[Body] = {}

    @abstractmethod
    def named(self, graph: AdminGraph, name: str) -> Sequence[OptionPresent]:
        """Those of this name."""

    @abstractmethod
    def change(
        self, declared: OptionDeclared, present: OptionPresent | None, now: datetime
    ) -> Iterator[Change]:
        """What makes `present` (None: nothing yet) as declared."""

    @override
    def changes(self, declared: OptionDeclared, planning: Planning) -> Iterator[Change]:
        key = declared.name.casefold()
        named = [item for item in self.present(planning.tenant) if item.display_name.casefold() == key]
        yield from self.change(declared, only(named, self.what, declared.name), planning.now)

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        kept = names_of(getattr(planning.declared, self.section))
        for item in self.present(planning.tenant):
            if item.display_name.casefold() not in kept:
                yield Change("delete", self.name, item.display_name, item.id)

    @override
    def wire(self, present: OptionPresent) -> Body:
        return present.to_wire()

    @override
    def removal(self, graph: AdminGraph, present: OptionPresent) -> tuple[str, Sequence[Change], Body]:
        question = f"Delete the {self.what} {present.display_name} ({present.id})?"
        change = Change("delete", self.name, present.display_name, present.id)
        return question, [change], {"id": present.id}


class FileKind(CommandKind[FileDeclared, FilePresent]):
    """A kind whose objects have a file each.

    `file` is the model of a file, `empty` the paths that may be empty in it, `documents` what messages call
    such files.
    """

    file: ClassVar[type[Any]]
    empty: ClassVar[frozenset[tuple[str, ...]]]
    documents: ClassVar[str]

    @abstractmethod
    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[FilePresent]:
        """All objects, or those with this name, id or key."""

    @abstractmethod
    def surroundings(
        self, graph: AdminGraph, declared: FileDeclared, present: Sequence[FilePresent]
    ) -> tuple[FileDeclared, TenantObjects]:
        """A declared object with names in place of ids, and what its rules and changes need of the tenant."""

    def search(self, declared: FileDeclared) -> str:
        """By what the tenant's object is found."""
        return declared.name

    @abstractmethod
    def deleting(self, present: FilePresent, tenant: TenantObjects) -> Iterator[Change]:
        """The changes that delete one, with what `tenant` has that belongs to it."""

    def kept(self, planning: Planning) -> set[str]:
        """The names of the objects that `--prune` does not delete."""
        return names_of(getattr(planning.declared, self.section))

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        kept = self.kept(planning)
        for item in self.present(planning.tenant):
            if item.name.casefold() not in kept:
                yield from self.deleting(item, planning.tenant)

    @override
    def all(self, graph: AdminGraph) -> Sequence[FilePresent]:
        return sorted(self.matching(graph, ""), key=lambda item: item.name.casefold())

    @override
    def find(self, graph: AdminGraph, wanted: str) -> FilePresent:
        return find_one(
            self.what, self.command, wanted, lambda _id: None, lambda name: self.matching(graph, name)
        )

    @override
    def wire(self, present: FilePresent) -> Body:
        return present.wire

    @override
    def shown(self, graph: AdminGraph, present: FilePresent) -> tuple[Body, Body]:
        """It as Graph has it and as a file would declare it."""
        declared = self.declared(present).model_dump(mode="json", exclude_defaults=True)
        return {self.result: present.wire, "declared": declared}, {**declared, "id": present.id}

    @override
    def removal(self, graph: AdminGraph, present: FilePresent) -> tuple[str, Sequence[Change], Body]:
        question = f"Delete the {self.what} {present.name} ({present.id})?"
        return question, list(self.deleting(present, TenantObjects())), {"id": present.id}

    def lint(self, graph: AdminGraph, wanted: str) -> Iterable[Finding]:
        """What is wrong with one that is in the tenant already."""
        declared, tenant = self.surroundings(graph, self.declared(self.find(graph, wanted)), ())
        return self.judge(declared, self.beside(tenant))

    def beside(self, tenant: TenantObjects) -> Declarations:
        """What the tenant has, for the rules about what is declared together."""
        return Declarations.model_construct(
            configurations=tuple(map(configuration_object, tenant.configurations)),
            sites=tuple(map(site_object, tenant.sites)),
            profiles=tuple(profile_object(item.found, item.assignments) for item in tenant.tunnel_profiles),
            mam=tuple(map(mam_object, tenant.mam)),
        )

    def made(self, graph: AdminGraph, declared: FileDeclared) -> Body:
        """The identity of a created or changed object in the result."""
        return {"id": self.find(graph, self.search(declared)).id}

    def unknown(self, name: str) -> TenantError:
        """The error about an update of an object that is not there."""
        return TenantError(
            "object-unknown",
            "the tenant has no {kind} {name}",
            hint="Create it with `mst-admin {command} create`.",
            kind=self.what,
            name=name,
            command=self.command,
        )

    def unreadable(self, path: Path, reason: str | None) -> UsageError:
        """The error about a file that cannot be read."""
        return UsageError(
            "object-file-unreadable",
            "the file {path} cannot be read: {reason}",
            hint="Check the path.",
            path=path,
            reason=reason,
        )

    def invalid(self, problem: str) -> UsageError:
        """The error about a problem of a file."""
        return UsageError(
            "object-file-invalid",
            "{problem}",
            hint=(
                "Correct the file; `mst-admin {command} schema` prints a JSON Schema that editors check it "
                "with."
            ),
            problem=problem,
            command=self.command,
        )


def require_name(what: str, wanted: str, command: str) -> None:
    """Raise UsageError `name-empty` for a blank name, which a lookup could take for any object."""
    if not wanted.strip():
        raise UsageError(
            "name-empty",
            "the name of the {kind} is empty",
            hint=(
                "Give a name or an id; `mst-admin {command} list` shows them. A shell variable may be unset."
            ),
            kind=what,
            command=command,
        )


def find_one(
    what: str,
    command: str,
    wanted: str,
    by_id: Callable[[str], Found | None],
    by_name: Callable[[str], Sequence[Found]],
    *,
    place: str = "tenant",
) -> Found:
    """The one object with this name or id.

    Raises UsageError `name-empty`, TenantError `name-unknown` and `name-ambiguous`.
    """
    require_name(what, wanted, command)
    found = by_id(wanted) if is_guid(wanted) else None
    found = found or only(by_name(wanted), what, wanted)
    if found is None:
        raise NAME_UNKNOWN(place=place, kind=what, name=wanted, command=command)
    return found


def only(found: Sequence[Found], what: str, name: str) -> Found | None:
    """The one that was found by a name, if any. Raises TenantError `name-ambiguous`."""
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind=what, name=name, ids=ids)
    return found[0] if found else None


def called(name: str, objects: Iterable[FilePresent], what: str) -> FilePresent | None:
    """The one object of this name, compared as Graph does. Raises TenantError `name-ambiguous`."""
    return only([item for item in objects if item.name.casefold() == name.casefold()], what, name)
