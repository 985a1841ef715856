"""`mst-admin apply`, `diff`, `export`, `schema`: the tenant as files."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from mst_admin.carry_out import ApplyOutcome, carry_out_many
from mst_admin.change import Change, KindName, Verb
from mst_admin.kinds import KINDS, read_tenant
from mst_admin.kinds.coexistence import Clients, judge_coexistence
from mst_admin.kinds.groups import (
    find_groups,
    group_names,
    group_problems,
    permissions_for,
    with_group_ids,
)
from mst_admin.kinds.kind import Kind
from mst_admin.kinds.reports import GroupNames
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.named_files import write_named
from mst_admin.objects.configuration import judge_networks
from mst_admin.objects.site import Resolve
from mst_admin.results import ObjectPlace, change_lines
from mst_admin.session import CHANGING, READING, make_sure, open_tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.document import Document, DocumentError, parse_as, read
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.errors import CertificateError, ExitCode, SetupError, UsageError, declare
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import joined, plain, text
from mstunnel_setup.io.network import addresses_of
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.tenant.approvals import ApprovalWaitingError
from mstunnel_setup.tenant.graph_admin import AdminGraph

DECLARATIONS_INVALID = declare(
    UsageError,
    "declarations-invalid",
    "{problems}",
    "Correct the files; `mst-admin schema` prints a JSON Schema that editors check them with.",
)
"""Error about invalid declarations, with one line `FILE:LINE:COLUMN: …` for each problem."""
_SECTIONS: Final = frozenset((name,) for name in Declarations.model_fields if name != "version")


class UnapprovedChange(Report):
    """A change that was not made because it lacks an approval."""

    verb: Verb
    kind: KindName
    name: str
    code: str = Field(description="The error, such as approval-required.")
    approval: str = Field(description="Id of the approval request; empty for none.")


class TenantChanges(Report):
    """The changes of a tenant, to make or made."""

    changes: tuple[Change, ...]
    unapproved: tuple[UnapprovedChange, ...] = Field(
        default=(), description="Changes that were not made because they lack an approval."
    )
    groups: GroupNames = Field(default_factory=dict)


class ExportReport(Report):
    """A tenant as files."""

    directory: str
    files: tuple[str, ...] = Field(description="Names in the directory.")


class DeclaredItem(NamedTuple):
    """A declared object with its position in a file."""

    kind: Kind[Any, Any]
    value: Any
    place: ObjectPlace


class TenantPlan(NamedTuple):
    """The planned changes of a tenant, with the warnings and the names of groups by id."""

    graph: AdminGraph
    changes: list[Change]
    warnings: tuple[Finding, ...]
    groups: dict[str, str]

    def report(self, changes: Iterable[Change]) -> TenantChanges:
        """Return the report about some or all of the changes."""
        return TenantChanges(changes=tuple(changes), groups=self.groups)


@dataclass(frozen=True)
class DeclarationSet:
    """The objects of all files, by section and as a list in the order of kinds, with the warnings.

    `objects.model_fields_set` has the keys that occur in the files, including empty ones.
    """

    objects: Declarations
    items: Sequence[DeclaredItem]
    warnings: tuple[Finding, ...]


def load_declarations(path: Path, resolve: Resolve | None = None) -> DeclarationSet:
    """Read the YAML file at `path`, or all YAML files directly in that directory, ordered by name.

    Raises UsageError: `declarations-missing`, `declarations-invalid` with every problem of every file.
    """
    try:
        alone = visible_kind(path) == "file"
        files = [path] if alone else [item for item in sorted(path.iterdir()) if _is_declaration(item)]
        contents = [(str(file), read(file)) for file in files]
    except (OSError, DocumentError) as error:
        raise _missing(path, getattr(error, "strerror", None) or str(error)) from error
    if not contents:
        raise _missing(path, "there is no .yaml file in it")
    return parse_declarations(contents, resolve)


def _is_declaration(path: Path) -> bool:
    return path.suffix in {".yaml", ".yml"} and visible_kind(path) == "file"


def _missing(path: Path, reason: str) -> UsageError:
    return UsageError(
        "declarations-missing",
        "declarations cannot be read from {path}: {reason}",
        hint="Use a directory with YAML files; `mst-admin export DIR` writes one from a tenant.",
        path=path,
        reason=reason,
    )


def parse_declarations(
    contents: Sequence[tuple[str, bytes]], resolve: Resolve | None = None
) -> DeclarationSet:
    """Validate files, given as names and contents, together. Raises UsageError `declarations-invalid`."""
    lines: list[str] = []
    parsed: list[tuple[Document, Declarations]] = []
    for name, content in contents:
        try:
            parsed.append(parse_as(Declarations, content, name, "declarations", _SECTIONS))
        except DocumentError as error:
            lines += error.problems
    networks = [network for _, file in parsed for network in file.corporate_networks]
    # Invalid networks are reported separately; the networks in a file that cannot be parsed are unknown.
    usable = () if lines or any(judge_networks(networks)) else tuple(networks)
    items = [
        DeclaredItem(kind, value, ObjectPlace(document, (kind.section, str(number))))
        for kind in KINDS
        for document, file in parsed
        for number, value in enumerate(getattr(file, kind.section))
    ]
    given = {name for _, file in parsed for name in file.model_fields_set}
    objects = Declarations.model_construct(
        _fields_set=given, version=1, corporate_networks=usable, **_by_section(items)
    )
    judged = [
        item
        for document, file in parsed
        for item in ObjectPlace(document).placed(judge_networks(file.corporate_networks))
    ]
    judged += _judged(items, objects, resolve)
    lines += [item.message for item in judged if item.fatal]
    lines += _duplicates(items)
    if lines:
        raise DECLARATIONS_INVALID(problems="\n".join(lines))
    completed = _with_certificates(items)
    return DeclarationSet(
        objects.model_copy(update=_by_section(completed)), completed, warnings=tuple(judged)
    )


def _judged(items: Iterable[DeclaredItem], beside: Declarations, resolve: Resolve | None) -> list[Finding]:
    return [
        found for kind, value, place in items for found in place.placed(kind.judge(value, beside, resolve))
    ]


def with_groups_found(declared: DeclarationSet, graph: AdminGraph, resolve: Resolve | None) -> DeclarationSet:
    """Return the declarations with ids in place of the names of groups, judged again with the ids.

    Raises UsageError `declarations-invalid` for names that no group has, or several; SignInError.
    """
    found = find_groups(graph, (item.value for item in declared.items))
    if not found:
        return declared
    lines = [
        item.place.line(
            problem.key, text("{problem}: {remedy}", problem=problem.message, remedy=problem.hint)
        )
        for item in declared.items
        for problem in group_problems(item.value, found)
    ]
    if lines:
        raise DECLARATIONS_INVALID(problems="\n".join(lines))
    items = [item._replace(value=with_group_ids(item.value, found)) for item in declared.items]
    objects = declared.objects.model_copy(update=_by_section(items))
    judged = _judged(items, objects, resolve)
    if lines := [item.message for item in judged if item.fatal]:
        raise DECLARATIONS_INVALID(problems="\n".join(lines))
    return DeclarationSet(objects, items, tuple(judged))


def _by_section(items: Iterable[DeclaredItem]) -> dict[str, tuple[Any, ...]]:
    grouped = groupby(items, lambda item: item.kind.section)
    return {section: tuple(item.value for item in same) for section, same in grouped}


def _with_certificates(items: Iterable[DeclaredItem]) -> list[DeclaredItem]:
    """Replace paths of certificates by their content. Raises UsageError naming all unusable ones."""
    lines, completed = [], []
    for item in items:
        try:
            completed.append(item._replace(value=item.kind.completed(item.value)))
        except CertificateError as error:
            lines.append(item.place.line(item.kind.certificate_key, error.message))
    if lines:
        raise DECLARATIONS_INVALID(problems="\n".join(lines))
    return completed


def _duplicates(items: Iterable[DeclaredItem]) -> Iterator[str]:
    """Return findings about objects declared twice; names are compared without case, as Graph does."""
    first: dict[tuple[str, str], ObjectPlace] = {}
    for kind, value, place in items:
        name = kind.key_of(value)
        earlier = first.setdefault((kind.section, name.casefold()), place)
        if earlier is not place:
            at = earlier.line(kind.key, "").removesuffix(": ")
            message = text("`{name}` is already declared at {place}: remove one of them", name=name, place=at)
            yield place.line(kind.key, message)


def diff(
    operator: Operator,
    settings: Settings,
    directory: Path,
    *,
    prune: Collection[str],
    resolve: bool,
    exit_code: bool,
) -> Result[TenantChanges]:
    """Return the changes that `apply` would make."""
    made = _planned(operator, settings, directory, READING, prune=prune, resolve=resolve)
    changes = made.changes
    code = ExitCode.CHANGES_PENDING if changes and exit_code else ExitCode.DONE
    lines = _lines(changes, made.groups, text("to make"))
    return Result("ok", made.report(changes), made.warnings, text=lines, exit_code=code)


def apply(
    operator: Operator,
    settings: Settings,
    directory: Path,
    *,
    prune: Collection[str],
    resolve: bool,
    yes: bool,
) -> Result[TenantChanges]:
    """Change the tenant to match the declarations.

    Changes made before an error or Ctrl-C are kept and reported; applying again makes the remaining ones. A
    change that needs an approval does not prevent those of other objects.
    """
    made = _planned(operator, settings, directory, CHANGING, prune=prune, resolve=resolve)
    changes = made.changes
    # Show the plan and ask for confirmation; without a terminal only deletions need --yes.
    names = [f"{change.kind} {change.name}" for change in changes if change.verb == "delete"]
    if operator.console.interactive and changes and not yes:
        operator.console.say(joined(_lines(changes, made.groups, text("to make")), "\n"))
        make_sure(operator, "Apply these changes?", yes=False)
    elif names:
        make_sure(operator, f"Delete {len(names)} objects ({', '.join(names)})?", yes=yes)
    return _result(carry_out_many(changes, made.graph, operator.counted), made)


def _result(done: ApplyOutcome, planned: TenantPlan) -> Result[TenantChanges]:
    unapproved = tuple(
        UnapprovedChange(
            verb=change.verb,
            kind=change.kind,
            name=change.name,
            code=error.code,
            approval=error.approval if isinstance(error, ApprovalWaitingError) else "",
        )
        for change, error in done.unapproved
    )
    report = planned.report(done.made).model_copy(update={"unapproved": unapproved})
    warnings, total = planned.warnings, len(planned.changes)
    lines = _lines(done.made, planned.groups, text("made"))
    problems = (*map(_problem, done.refused), *_unapproved(done))
    if done.interrupted:
        notice = warning(
            "apply-interrupted",
            "interrupted after {made} of {total} changes",
            hint="Run the same command again: it finds what was made and continues.",
            made=len(done.made),
            total=total,
        )
        return Result("error", report, warnings, (notice, *problems), lines, ExitCode.INTERRUPTED)
    if problems:
        codes = [error.exit_code for _change, error in (*done.refused, *done.unapproved)]
        # Waiting is the answer only if nothing else has to be done before the next run.
        code = next((each for each in codes if each is not ExitCode.WAITING), ExitCode.WAITING)
        return Result("error", report, warnings, problems, lines, code)
    return Result("changed" if done.made else "unchanged", report, warnings, text=lines)


def _problem(refused: tuple[Change, SetupError]) -> Problem:
    change, error = refused
    return Problem(error.code, _about(change, error), error.hint)


def _about(change: Change, error: SetupError) -> str:
    subject = f"{change.verb} {change.kind} {change.name}"
    return text("{change}: {problem}", change=subject, problem=error.message)


def _unapproved(done: ApplyOutcome) -> Iterator[Problem]:
    """Return one problem for each reason why changes lack an approval, as many may have the same."""
    for code in dict.fromkeys(error.code for _change, error in done.unapproved):
        same = [(change, error) for change, error in done.unapproved if error.code == code]
        yield Problem(code, joined([_about(*each) for each in same], "\n"), same[0][1].hint)


def _lines(changes: Sequence[Change], groups: Mapping[str, str], what: str) -> list[str]:
    deleted = Counter(change.kind for change in changes if change.verb == "delete")
    plural = "" if len(changes) == 1 else "s"
    last = text("{changes} change{plural} {what}.", changes=len(changes), plural=plural, what=what)
    if deleted:
        kinds = ", ".join(text("{kind}: {count}", kind=kind, count=count) for kind, count in deleted.items())
        last = text(
            "{changes} Deletions: {count} ({kinds}).", changes=last, count=deleted.total(), kinds=kinds
        )
    return [*change_lines(changes, groups), last]


def _planned(
    operator: Operator,
    settings: Settings,
    directory: Path,
    permissions: tuple[str, ...],
    *,
    prune: Collection[str],
    resolve: bool,
) -> TenantPlan:
    """Plan the changes, reading only the kinds of objects that are declared, as reading all is slow."""
    look_up = cache(addresses_of) if resolve else None
    declared = load_declarations(directory.absolute(), look_up)
    asked = (*permissions, *permissions_for(item.value for item in declared.items))
    graph = open_tenant(operator, settings, asked)
    declared = with_groups_found(declared, graph, look_up)
    objects = declared.objects
    apps = {app.key for app in objects.apps}
    sections = {*objects.model_fields_set, *prune}
    tenant = read_tenant(graph, sections, apps, {mam.name for mam in objects.mam})
    changes = plan(declared, tenant, operator.clock.now(), prune=prune)
    deleted = {change.identifier for change in changes if change.verb == "delete"}
    clients = Clients.of((item.value for item in declared.items), tenant, deleted)
    conflicts = [
        found
        for _kind, value, place in declared.items
        for found in place.placed(judge_coexistence(value, clients))
    ]
    return TenantPlan(graph, changes, (*declared.warnings, *conflicts), group_names(graph, changes))


def plan(
    declared: DeclarationSet, tenant: TenantObjects, now: datetime, *, prune: Collection[str]
) -> list[Change]:
    """Return the changes that make the tenant match the declarations, in the order of execution.

    `prune` has the keys of the kinds whose undeclared objects are deleted. Objects are matched by name. An
    object that is referred to must exist or be declared, and not be deleted. Raises TenantError
    `name-ambiguous` when two objects of the tenant have one name, `app-missing`, `profile-unknown` and
    `trusted-root-unknown`, UsageError for a missing server configuration or site.
    """
    planning = Planning(declared.objects, tenant, now)
    for kind in reversed(KINDS):
        if kind.section in prune:
            planning.deletions += kind.changes_to_prune(planning)
    lines = [
        place.line(key, message)
        for kind, value, place in declared.items
        for key, message in kind.missing(value, planning)
    ]
    if lines:
        raise DECLARATIONS_INVALID(problems="\n".join(lines))
    for kind, value, _place in declared.items:
        planning.changes += kind.changes(value, planning)
    return [*planning.changes, *planning.deletions]


def export(operator: Operator, settings: Settings, directory: Path, *, force: bool) -> Result[ExportReport]:
    """Write the tenant as declarations. Raises UsageError `export-exists` if a file exists already."""
    graph = open_tenant(operator, settings, READING)
    tenant = read_tenant(graph)
    schema = json.dumps(describe.schema(Declarations).data, indent=2) + "\n"
    contents = {**declarations_of(tenant, graph), "schema.json": schema}
    target = directory.absolute()
    present = sorted(item.name for item in target.glob("*.y*ml"))
    unrelated_files = [name for name in present if name not in contents]
    if unrelated_files or (present and not force):
        remedy = text("remove them first") if unrelated_files else text("overwrite them with --force")
        raise UsageError(
            "export-exists",
            "{directory} already has declarations: {names}",
            hint="Use an empty directory, or {remedy}.",
            directory=target,
            names=", ".join(unrelated_files or present),
            remedy=remedy,
        )
    write_named(target, contents)
    report = ExportReport(directory=str(target), files=tuple(sorted(contents)))
    lost = (item for kind in KINDS for item in kind.not_declarable(tenant))
    warnings = (*shared_names(tenant), *lost)
    return Result("changed", report, warnings, text=[f"{target}/{name}" for name in report.files])


def declarations_of(tenant: TenantObjects, graph: AdminGraph | None = None) -> dict[str, str]:
    """Return YAML files by name. Values are written unchanged, including those that violate the rules.

    The names of groups, read from `graph` if it may, are comments after their ids.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    objects = {
        kind.section: [
            item.model_dump(mode="json", exclude_defaults=True) for item in kind.declared_of(tenant)
        ]
        for kind in KINDS
    }
    names = {} if graph is None else group_names(graph, objects)
    files = {}
    for section, documents in objects.items():
        if documents:
            stream = StringIO()
            stream.write("# yaml-language-server: $schema=schema.json\n")
            yaml.dump({"version": 1, section: _with_comments(documents, names)}, stream)
            files[f"{section}.yaml"] = stream.getvalue()
    return files


def _with_comments(value: Any, names: Mapping[str, str]) -> Any:
    """Return a document to be written as YAML, with the name of each group as comment after its id."""
    if isinstance(value, dict):
        return {key: _with_comments(item, names) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    commented = CommentedSeq(_with_comments(item, names) for item in value)
    for number, item in enumerate(value):
        if isinstance(item, str) and item.lower() in names:
            commented.yaml_add_eol_comment(names[item.lower()], number)
    return commented


def shared_names(tenant: TenantObjects) -> Iterator[Finding]:
    """Return warnings about objects of one kind with the same name, which declarations cannot distinguish."""
    for kind in KINDS:
        if kind.key != "name":
            continue
        names = kind.names(tenant)
        for name, count in Counter(map(str.casefold, names)).items():
            if count > 1:
                yield finding(
                    "name",
                    "name-ambiguous",
                    "{count} objects of the kind {kind} are called {name}",
                    hint="Rename all but one in the tenant: `apply` and `diff` find objects by name.",
                    fatal=False,
                    count=count,
                    kind=kind.label,
                    name=plain(next(item for item in names if item.casefold() == name)),
                )
