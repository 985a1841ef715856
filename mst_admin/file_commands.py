"""The work of the commands for objects that are declared in a file each, and in what these differ."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from mst_admin.carry_out import carry_out
from mst_admin.change import Body, Change, Wire
from mst_admin.errors import (
    NAME_AMBIGUOUS,
    NAME_TAKEN,
    NAME_UNKNOWN,
)
from mst_admin.find import require_name
from mst_admin.judged_values import judged
from mst_admin.lines import NOTHING, details, table
from mst_admin.named_files import names_file
from mst_admin.named_object import NamedObject
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.document import Document, DocumentError, KeyProblem, parse_as, read
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import ExitCode, TenantError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph


class PresentObject(Protocol):
    """What the tenant has of an object."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def wire(self) -> Body:
        """Its properties."""
        ...


Declared = TypeVar("Declared", bound=NamedObject)
Present = TypeVar("Present", bound=PresentObject)


@dataclass(frozen=True)
class FileObjects(Generic[Declared, Present]):
    """One kind of objects. `what` is its name for people, `key` in results, `command` that of its commands.

    `read` finds what the tenant has: all, or what has a name or id; `search` is by what it finds what a file
    declares. `judge` judges a file, with the tenant if there is one. `object_of` writes what the tenant has
    as a file does. `changes` make the tenant as it is declared, `deletion` undoes that.
    """

    what: str
    key: str
    command: str
    file: type[Declared]
    empty: frozenset[tuple[str, ...]]
    head: tuple[str, ...]
    row: Callable[[Present], tuple[str, ...]]
    read: Callable[[AdminGraph, str], Sequence[Present]]
    search: Callable[[Declared], str]
    object_of: Callable[[Present], Declared]
    judge: Callable[[Declared, AdminGraph | None], Iterable[Finding]]
    changes: Callable[[Declared, Sequence[Present], AdminGraph], Iterable[Change]]
    deletion: Callable[[Present], Iterable[Change]]

    def list(self, operator: Operator, settings: Settings) -> Result:
        """All of them, by name."""
        found = sorted(self.read(open_tenant(operator, settings), ""), key=lambda item: item.name.casefold())
        data = {f"{self.key}s": [item.wire for item in found]}
        return Result(
            data=data,
            text=table(
                [self.row(item) for item in found], self.head, text("There is no {what} yet.", what=self.what)
            ),
        )

    def show(self, operator: Operator, settings: Settings, wanted: str) -> Result:
        """One of them, as Graph has it and as a file would declare it."""
        found = self._find(open_tenant(operator, settings), wanted)
        declared = self.object_of(found).model_dump(mode="json", exclude_defaults=True)
        return Result(
            data={self.key: found.wire, "declared": declared}, text=details({**declared, "id": found.id})
        )

    def create(self, operator: Operator, settings: Settings, file: Path) -> Result:
        """Create the object of a file. Raises ValuesError with everything that is wrong."""
        return self._apply(operator, settings, file, new=True)

    def update(self, operator: Operator, settings: Settings, file: Path) -> Result:
        """Make the tenant's object as its file says; the errors are those of `create`."""
        return self._apply(operator, settings, file, new=False)

    def delete(self, operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
        """Delete one, after asking."""
        graph = open_tenant(operator, settings)
        found = self._find(graph, wanted)
        changes = list(self.deletion(found))
        make_sure(operator, f"Delete the {self.what} {found.name} ({found.id})?", yes=yes)
        carry_out(changes, graph)
        return written(changes, {"id": found.id})

    def lint(self, operator: Operator, settings: Settings, wanted: str) -> Result:
        """What is wrong with one; the exit code is 2 when something is fatal, as of `create`."""
        if names_file(wanted, (".yaml", ".yml")):
            document, declared = self._load(Path(wanted))
            findings = placed(self.judge(declared, None), document)
        else:
            graph = open_tenant(operator, settings)
            findings = list(self.judge(self.object_of(self._find(graph, wanted)), graph))
        return linted(self.key, wanted, findings)

    def schema(self) -> Result:
        """The JSON Schema of files."""
        data = describe.schema(self.file)
        return Result(data=data, text=verbatim(json.dumps(data, indent=2)))

    def _apply(self, operator: Operator, settings: Settings, file: Path, *, new: bool) -> Result:
        document, declared = self._load(file)
        judged(placed(self.judge(declared, None), document))
        graph = open_tenant(operator, settings)
        present, name = self.read(graph, self.search(declared)), declared.name
        if new and present:
            raise NAME_TAKEN(
                place="tenant",
                kind=self.what,
                name=name,
                command=text("{command} update", command=self.command),
            )
        if not new and not present:
            raise TenantError(
                "object-unknown",
                "the tenant has no {kind} {name}",
                hint="Create it with `mst-admin {command} create`.",
                kind=self.what,
                name=name,
                command=self.command,
            )
        warnings = judged(placed(self.judge(declared, graph), document))
        changes = list(self.changes(declared, present, graph))
        carry_out(changes, graph)
        return written(changes, {"id": self._find(graph, self.search(declared)).id}, warnings)

    def _find(self, graph: AdminGraph, wanted: str) -> Present:
        """The one with this name or id. Raises what `find.find_one` raises."""
        require_name(self.what, wanted, self.command)
        found = self.read(graph, wanted)
        if not found:
            raise NAME_UNKNOWN(place="tenant", kind=self.what, name=wanted, command=self.command)
        if len(found) > 1:
            ids = ", ".join(item.id for item in found)
            raise NAME_AMBIGUOUS(count=len(found), kind=self.what, name=wanted, ids=ids)
        return found[0]

    def _load(self, file: Path) -> tuple[Document, Declared]:
        path = file.absolute()
        try:
            return parse_as(self.file, read(path), str(path), self.command, self.empty)
        except OSError as error:
            raise UsageError(
                "object-file-unreadable",
                "the file {path} cannot be read: {reason}",
                hint="Check the path.",
                path=path,
                reason=error.strerror,
            ) from error
        except DocumentError as error:
            raise ValuesError(
                [
                    UsageError(
                        "object-file-invalid",
                        "{problem}",
                        hint=(
                            "Correct the file; `mst-admin {command} schema` prints a JSON Schema that "
                            "editors check it with."
                        ),
                        problem=line,
                        command=self.command,
                    )
                    for line in error.problems
                ]
            ) from error


def placed(findings: Iterable[Finding], document: Document) -> list[Finding]:
    """Each finding with its place in the file in front of its message."""
    found = []
    for item in findings:
        at = document.position(KeyProblem((item.key,), ""))
        place = f"{document.name}:{at.line}:{at.column}"
        found.append(replace(item, message=text("{place}: {problem}", place=place, problem=item.message)))
    return found


def linted(key: str, wanted: str, findings: Sequence[Finding]) -> Result:
    """The result of a lint; its exit code is that of `create` and `update`, which refuse what is fatal."""
    fatal = tuple(item for item in findings if item.fatal)
    warnings = tuple(item for item in findings if not item.fatal)
    if fatal:
        return Result("error", {key: wanted}, warnings, fatal, exit_code=ExitCode.USAGE)
    lines = [
        text("No error found in {wanted}.", wanted=wanted)
        if warnings
        else text("No problem found in {wanted}.", wanted=wanted)
    ]
    return Result("warning" if warnings else "ok", {key: wanted}, warnings, text=lines)


def written(changes: Sequence[Change], data: Wire, warnings: tuple[Problem, ...] = ()) -> Result:
    """The result of a command that made these changes."""
    documents = {**data, "changes": [change.document() for change in changes]}
    lines = [line for change in changes for line in change.lines()]
    return Result("changed" if changes else "unchanged", documents, warnings, text=lines or [NOTHING])
