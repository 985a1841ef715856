"""`mst-admin apply`, `diff`, `export`, `schema`: the tenant as files."""

from collections.abc import Sequence
from pathlib import Path

from mst_admin.carry_out import ApplyOutcome, carry_out_many
from mst_admin.change import Change
from mst_admin.declarations import DeclarationSet, load_declarations
from mst_admin.export import files_of, warnings_of
from mst_admin.kinds import read_tenant
from mst_admin.kinds.tenant import TenantObjects
from mst_admin.named_files import write_named
from mst_admin.plan import plan
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.io.network import addresses_of
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph


def diff(
    operator: Operator, settings: Settings, directory: Path, *, prune: bool, resolve: bool, exit_code: bool
) -> Result:
    """What `apply` would change."""
    declared = load_declarations(directory.absolute(), addresses_of if resolve else None)
    changes = plan(
        declared, _read(open_tenant(operator, settings), declared), operator.clock.now(), prune=prune
    )
    code = ExitCode.CHANGES_PENDING if changes and exit_code else ExitCode.DONE
    data = {"changes": [change.document() for change in changes]}
    return Result(
        "ok",
        data,
        declared.warnings,
        text=_lines(changes, text("to make")),
        exit_code=code,
    )


def apply(
    operator: Operator, settings: Settings, directory: Path, *, prune: bool, resolve: bool, yes: bool
) -> Result:
    """Make the tenant as declared. What was made before a refusal or Ctrl-C stays, and is in the result.

    Applying again continues there.
    """
    declared = load_declarations(directory.absolute(), addresses_of if resolve else None)
    graph = open_tenant(operator, settings)
    changes = plan(declared, _read(graph, declared), operator.clock.now(), prune=prune)
    # Show the plan and ask for confirmation; without a terminal only deletions need --yes.
    names = [f"{change.kind} {change.name}" for change in changes if change.verb == "delete"]
    if operator.console.interactive and changes and not yes:
        operator.console.say(joined(_lines(changes, text("to make")), "\n"))
        make_sure(operator, "Make them?", yes=False)
    elif names:
        make_sure(operator, f"Delete {len(names)} objects ({', '.join(names)})?", yes=yes)
    return _result(
        carry_out_many(changes, graph, operator.counted),
        len(changes),
        declared.warnings,
    )


def export(operator: Operator, settings: Settings, directory: Path, *, force: bool) -> Result:
    """Write the tenant as declarations. Raises UsageError `export-exists` rather than overwrite files."""
    tenant = read_tenant(open_tenant(operator, settings))
    contents = files_of(tenant)
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
    warnings = tuple(warnings_of(tenant))
    return Result("changed", data, warnings, text=[f"{target}/{name}" for name in names])


def _read(graph: AdminGraph, declared: DeclarationSet) -> TenantObjects:
    """The tenant; some objects cost requests each, so only those that the declarations speak about."""
    objects = declared.objects
    apps = {app.key for app in objects.apps}
    return read_tenant(graph, objects.model_fields_set, apps, {mam.name for mam in objects.mam})


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
