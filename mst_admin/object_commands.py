"""The implementation of the commands that all kinds of objects share."""

import json
from pathlib import Path
from typing import Any

from mst_admin.carry_out import carry_out
from mst_admin.change import Body
from mst_admin.kinds import COMMAND_KINDS, FILE_KINDS, OPTION_KINDS
from mst_admin.kinds.app_configuration import APP_CONFIGURATION
from mst_admin.kinds.coexistence import Clients, judge_coexistence, judge_in_tenant
from mst_admin.kinds.groups import (
    find_groups,
    group_names,
    group_problems,
    permissions_for,
    with_group_ids,
    with_group_names,
)
from mst_admin.kinds.kind import FileKind, OptionKind
from mst_admin.kinds.profile import PROFILE
from mst_admin.kinds.reports import LintReport, ObjectCreation, ObjectList, ObjectUpdate
from mst_admin.kinds.tenant import Declarations, Planning
from mst_admin.named_files import names_file
from mst_admin.object_options import ObjectOptions
from mst_admin.objects.configuration import judge_networks
from mst_admin.objects.site import Resolve
from mst_admin.results import ObjectPlace, changed, details, in_options, judged, table
from mst_admin.session import CHANGING, READING, make_sure, open_tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.document import DocumentError, parse_as, read, validated
from mstunnel_setup.base.errors import ExitCode, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.cli.framework.options import option_names
from mstunnel_setup.io.network import addresses_of
from mstunnel_setup.io.operator import Operator, Settings

_NOTHING = Declarations.model_construct()


def list_objects(command: str, operator: Operator, settings: Settings) -> Result[ObjectList]:
    """Return all objects of a kind."""
    kind = COMMAND_KINDS[command]
    found = kind.all(open_tenant(operator, settings, READING))
    report = ObjectList(objects=tuple(map(kind.wire, found)))
    return Result(report=report, text=lambda: table(list(map(kind.row, found)), kind.head, kind.nothing))


def show(command: str, operator: Operator, settings: Settings, wanted: str) -> Result:
    """Return one object in Graph's form and in declaration form."""
    kind = COMMAND_KINDS[command]
    graph = open_tenant(operator, settings, READING)
    report, lines = kind.shown(graph, kind.find(graph, wanted))
    if names := group_names(graph, lines):
        report, lines = report.model_copy(update={"groups": names}), with_group_names(lines, names)
    return Result(report=report, text=details(lines))


def delete(command: str, operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
    """Delete one object after confirmation."""
    kind = COMMAND_KINDS[command]
    graph = open_tenant(operator, settings)
    present = kind.find(graph, wanted)
    question, changes = kind.deletion_to_confirm(graph, present)
    make_sure(operator, question, yes=yes)
    carry_out(changes, graph)
    return changed(kind.deleted(present, changes), changes)


def create_from_options(
    command: str, operator: Operator, settings: Settings, options: ObjectOptions, name: str
) -> Result[ObjectCreation]:
    """Create an object. Raises ValuesError for invalid values, TenantError `name-taken`."""
    kind = OPTION_KINDS[command]
    resolve = addresses_of if options.resolve else None
    declared, warnings = _declared(kind, options, {**options.given({}), "name": name}, resolve)
    graph = open_tenant(operator, settings)
    kind.require_free(declared.name, kind.named(graph, declared.name))
    changes = list(kind.change(declared, None, operator.clock.now()))
    carry_out(changes, graph)
    found = kind.find(graph, declared.name)
    report = ObjectCreation(object=found.document(), change=changes[0])
    return changed(report, changes, warnings)


def update_from_options(
    command: str,
    operator: Operator,
    settings: Settings,
    options: ObjectOptions,
    names: tuple[str, str | None],
) -> Result[ObjectUpdate]:
    """Change the given properties, validated together with the unchanged ones.

    `names` has the name or id of the object, and its new name if any. Raises as `create_from_options` does.
    """
    kind = OPTION_KINDS[command]
    wanted, name = names
    new_name = {} if name is None else {"name": name}
    # The given options are validated before signing in, so that a mistake needs no sign-in.
    stand_in = {"name": kind.what, **kind.stand_in}
    _declared(kind, options, {**stand_in, **options.given(stand_in), **new_name}, None)
    graph = open_tenant(operator, settings)
    present = kind.find(graph, wanted)
    known = kind.declared(present).model_dump()
    resolve = addresses_of if options.resolve else None
    declared, warnings = _declared(kind, options, {**known, **options.given(known), **new_name}, resolve)
    if declared.name.casefold() != present.display_name.casefold():
        kind.require_free(declared.name, kind.named(graph, declared.name))
    changes = list(kind.change(declared, present, operator.clock.now()))
    carry_out(changes, graph)
    return changed(kind.updated(present.id, changes), changes, warnings)


def _declared(
    kind: OptionKind[Any, Any], options: ObjectOptions, values: Body, resolve: Resolve | None
) -> tuple[Any, tuple[Problem, ...]]:
    """Return the object described by the options and the warnings. Raises ValuesError naming options."""
    names = {**option_names(type(options)), **options.NAMES}
    try:
        declared = validated(kind.model, {**kind.required, **values})
    except ValuesError as error:
        problems = [
            UsageError(item.code, in_options(item.message, names), in_options(item.hint, names))
            for item in error.failures
        ]
        raise ValuesError(problems) from error
    networks = options.networks()
    unusable = [*options.malformed(), *judge_networks(networks)]
    beside = Declarations.model_construct(corporate_networks=() if unusable else tuple(networks))
    findings = kind.judge(declared, beside, resolve)
    return declared, judged((*unusable, *findings), names)


def write_from_file(command: str, operator: Operator, settings: Settings, file: Path, *, new: bool) -> Result:
    """Create the object that a file declares, or update that of the tenant to match.

    Raises ValuesError with all findings, TenantError `name-taken`, or the `unknown` error of the kind.
    """
    kind = FILE_KINDS[command]
    place, declared = _load(kind, file)
    judged(place.placed(kind.judge(declared, _NOTHING, None)))
    declared = kind.completed(declared)
    graph = open_tenant(operator, settings, (*CHANGING, *permissions_for([declared])))
    found = find_groups(graph, [declared])
    judged(place.placed(group_problems(declared, found)))
    declared = with_group_ids(declared, found)
    present = kind.matching(graph, kind.key_of(declared))
    if new:
        kind.require_free(declared.name, present)
    elif not present:
        raise kind.unknown(kind=kind.what, name=declared.name, command=kind.command)
    declared, tenant = kind.surroundings(graph, declared, present)
    conflicts = judge_coexistence(declared, Clients.of([declared], tenant))
    findings = (*kind.judge(declared, kind.beside(tenant), None), *conflicts)
    warnings = judged(place.placed(findings))
    changes = list(kind.changes(declared, Planning(_NOTHING, tenant, operator.clock.now())))
    carry_out(changes, graph)
    return changed(kind.written(graph, declared, changes), changes, warnings, group_names(graph, changes))


def lint(command: str, operator: Operator, settings: Settings, wanted: str) -> Result[LintReport]:
    """Return the findings about one object; exit code 2 if one is an error, as for `create`."""
    kind = FILE_KINDS[command]
    if names_file(wanted, (".yaml", ".yml")):
        place, declared = _load(kind, Path(wanted))
        findings = place.placed(kind.judge(declared, _NOTHING, None))
    else:
        graph = open_tenant(operator, settings, READING)
        findings = list(kind.lint(graph, wanted))
        if kind in {PROFILE, APP_CONFIGURATION}:
            findings += judge_in_tenant(graph, kind.find(graph, wanted).id)
    fatal = tuple(item for item in findings if item.fatal)
    warnings = tuple(item for item in findings if not item.fatal)
    report = LintReport(given=wanted)
    if fatal:
        return Result("error", report, warnings, fatal, exit_code=ExitCode.USAGE)
    if warnings:
        return Result("warning", report, warnings, text=[text("No error found in {wanted}.", wanted=wanted)])
    return Result("ok", report, text=[text("No problem found in {wanted}.", wanted=wanted)])


def schema(model: type[Any]) -> Result[describe.SchemaReport]:
    """Return the JSON Schema of the files of this kind."""
    report = describe.schema(model)
    return Result(report=report, text=verbatim(json.dumps(report.data, indent=2)))


def _load(kind: FileKind[Any, Any], file: Path) -> tuple[ObjectPlace, Any]:
    path = file.absolute()
    try:
        document, declared = parse_as(kind.file, read(path), str(path), "object files", kind.empty)
    except OSError as error:
        raise kind.unreadable(path=path, reason=error.strerror) from error
    except DocumentError as error:
        problems = [kind.invalid(problem=line, command=kind.command) for line in error.problems]
        raise ValuesError(problems) from error
    return ObjectPlace(document), declared
