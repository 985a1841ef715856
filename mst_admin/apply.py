"""`mst-admin apply`, `diff`, `export`, `schema`: the tenant as files."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from mst_admin.carry_out import ApplyOutcome, carry_out_many
from mst_admin.change import Change
from mst_admin.declarations import DeclarationError, DeclarationSet, load_declarations
from mst_admin.kinds import KINDS, read_tenant
from mst_admin.kinds.kind import CommandKind
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.named_files import write_named
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import joined, plain, text
from mstunnel_setup.io.network import addresses_of
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph


def diff(
    operator: Operator, settings: Settings, directory: Path, *, prune: bool, resolve: bool, exit_code: bool
) -> Result:
    """What `apply` would change."""
    declared = load_declarations(directory.absolute(), addresses_of if resolve else None)
    changes = _plan_for(open_tenant(operator, settings), declared, operator.clock.now(), prune=prune)
    code = ExitCode.CHANGES_PENDING if changes and exit_code else ExitCode.DONE
    data = {"changes": [change.document() for change in changes]}
    return Result("ok", data, declared.warnings, text=_lines(changes, text("to make")), exit_code=code)


def apply(
    operator: Operator, settings: Settings, directory: Path, *, prune: bool, resolve: bool, yes: bool
) -> Result:
    """Make the tenant as declared. What was made before a refusal or Ctrl-C stays, and is in the result.

    Applying again continues there.
    """
    declared = load_declarations(directory.absolute(), addresses_of if resolve else None)
    graph = open_tenant(operator, settings)
    changes = _plan_for(graph, declared, operator.clock.now(), prune=prune)
    # Show the plan and ask for confirmation; without a terminal only deletions need --yes.
    names = [f"{change.kind} {change.name}" for change in changes if change.verb == "delete"]
    if operator.console.interactive and changes and not yes:
        operator.console.say(joined(_lines(changes, text("to make")), "\n"))
        make_sure(operator, "Make them?", yes=False)
    elif names:
        make_sure(operator, f"Delete {len(names)} objects ({', '.join(names)})?", yes=yes)
    return _result(carry_out_many(changes, graph, operator.counted), len(changes), declared.warnings)


def _result(done: ApplyOutcome, total: int, warnings: tuple[Problem, ...]) -> Result:
    data = {"changes": [change.document() for change in done.made]}
    lines = _lines(done.made, text("made"))
    refused = tuple(
        Problem(
            error.code,
            text(
                "{change}: {problem}",
                change=f"{change.verb} {change.kind} {change.name}",
                problem=error.message,
            ),
            error.hint,
        )
        for change, error in done.refused
    )
    if done.interrupted:
        notice = warning(
            "apply-interrupted",
            "interrupted after {made} of {total} changes",
            hint="Run the same command again: it finds what was made and continues.",
            made=len(done.made),
            total=total,
        )
        return Result("error", data, warnings, (notice, *refused), lines, ExitCode.INTERRUPTED)
    if refused:
        return Result("error", data, warnings, refused, lines, done.refused[0][1].exit_code)
    return Result("changed" if done.made else "unchanged", data, warnings, text=lines)


def _lines(changes: Sequence[Change], what: str) -> list[str]:
    lines = [line for change in changes for line in change.lines()]
    plural = "" if len(changes) == 1 else "s"
    return [*lines, text("{changes} change{plural} {what}.", changes=len(changes), plural=plural, what=what)]


def _plan_for(graph: AdminGraph, declared: DeclarationSet, now: datetime, *, prune: bool) -> list[Change]:
    """The changes of a tenant; only what the declarations speak about is read, as some costs much."""
    objects = declared.objects
    apps = {app.key for app in objects.apps}
    tenant = read_tenant(graph, objects.model_fields_set, apps, {mam.name for mam in objects.mam})
    return plan(declared, tenant, now, prune=prune)


def plan(declared: DeclarationSet, tenant: TenantObjects, now: datetime, *, prune: bool) -> list[Change]:
    """The changes that make the tenant as declared, in the order of doing them.

    With `prune` also the deletion of what is not declared, of the kinds that the declarations speak about,
    even with an empty list. Objects are found again by name. What is named must exist or be declared, and
    not be deleted. Raises TenantError `name-ambiguous` when the tenant has two of a name, `app-missing`,
    `profile-unknown` and `trusted-root-unknown`, DeclarationError for a server configuration or a site that
    is not there.
    """
    planning = Planning(declared.objects, tenant, now)
    for kind in reversed(KINDS) if prune else ():
        if kind.section in declared.objects.model_fields_set:
            planning.deletions += kind.deletions(planning)
    lines = [
        place.line(key, message)
        for kind in KINDS
        for value, place in declared.of(kind)
        for key, message in kind.missing(value, planning)
    ]
    if lines:
        raise DeclarationError(lines)
    for kind in KINDS:
        for value, _place in declared.of(kind):
            planning.changes += kind.changes(value, planning)
    return [*planning.changes, *planning.deletions]


def export(operator: Operator, settings: Settings, directory: Path, *, force: bool) -> Result:
    """Write the tenant as declarations. Raises UsageError `export-exists` rather than overwrite files."""
    tenant = read_tenant(open_tenant(operator, settings))
    schema = json.dumps(describe.schema(Declarations), indent=2) + "\n"
    contents = {**declarations_of(tenant), "schema.json": schema}
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
    names = sorted(contents)
    data = {"directory": str(target), "files": names}
    lost = (item for kind in KINDS for item in kind.not_declarable(tenant))
    warnings = (*shared_names(tenant), *lost)
    return Result("changed", data, warnings, text=[f"{target}/{name}" for name in names])


def declarations_of(tenant: TenantObjects) -> dict[str, str]:
    """YAML files by name. Values are written as the tenant has them, also such as the rules would refuse."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    files = {}
    for kind in KINDS:
        objects = [item.model_dump(mode="json", exclude_defaults=True) for item in kind.declared_of(tenant)]
        if objects:
            stream = StringIO()
            stream.write("# yaml-language-server: $schema=schema.json\n")
            yaml.dump({"version": 1, kind.section: objects}, stream)
            files[f"{kind.section}.yaml"] = stream.getvalue()
    return files


def shared_names(tenant: TenantObjects) -> Iterator[Finding]:
    """What no declaration can tell apart: objects of one kind that have one name."""
    for kind in KINDS:
        if not isinstance(kind, CommandKind) or kind.key != "name":
            continue
        names = [item.name for item in kind.declared_of(tenant)]
        for name, count in Counter(map(str.casefold, names)).items():
            if count > 1:
                yield finding(
                    "name",
                    "name-ambiguous",
                    "{count} objects of the kind {kind} are called {name}",
                    hint="Rename all but one in the tenant: `apply` and `diff` find objects by name.",
                    fatal=False,
                    count=count,
                    kind=kind.label or kind.what,
                    name=plain(next(item for item in names if item.casefold() == name)),
                )
