"""Wrong command lines: Typer's exceptions as errors with code and hint."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from typer.core import TyperOption

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import problem_of
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.cli.framework.help import AnyContext

# The commands that show changes in advance, for people who try an option such as --dry-run.
_DRY_RUNS: Final = {
    "mstunnel-setup": "`mstunnel-setup plan`",
    "mst-cli install": "`mstunnel-setup plan`",
    "mst-admin": "`mst-admin diff DIR`",
}


def command_name(context: AnyContext) -> str:
    """Return the command as the documentation spells it, whichever spelling was typed.

    What has no result of its own, a word that leads to commands or a hidden command, is the program.
    """
    while context.parent and (context.command.hidden or context.command.callback is None):
        context = context.parent
    names: list[str] = []
    while context.parent:
        names.insert(0, context.command.name)
        context = context.parent
    return " ".join([context.info_name, *names])


def usage_error(error: Any, program: str) -> UsageError:
    """Return the error for a TyperException: our words if it has the parts, otherwise its sentence."""
    context: AnyContext = getattr(error, "ctx", None)
    while context and context.command.hidden:
        context = context.parent
    command = context.command_path if context else program
    problem = error.message
    if hasattr(error, "possibilities"):
        problem = _no_such_option(error.option_name, error.possibilities or (), command)
    elif isinstance(error, typer.BadParameter):
        problem = _bad_parameter(error)
    return UsageError(
        "usage-invalid", "{problem}", hint="See `{command} --help`.", problem=problem, command=command
    )


def _bad_parameter(error: typer.BadParameter) -> str:
    option, name = error.param, error.param.get_error_hint() if error.param else ""
    if isinstance(option, TyperOption):
        name = _variable(option, error.ctx) or " / ".join(map(repr, option.opts))
    if hasattr(error, "param_type"):
        if isinstance(option, TyperOption):
            return text("missing option {name}", name=name)
        return text("missing argument {name}", name=name)
    problem = error.message
    # The cause is a ValidationError of pydantic, whose messages are for programmers.
    if wrong := getattr(error.__cause__, "errors", None):
        problem = joined(map(_conversion_problem, wrong()), "; ")
    if getattr(option, "metavar", None) == "SECONDS":
        problem = text("{problem} (seconds)", problem=problem)
    return text("invalid value for {name}: {problem}", name=name, problem=problem)


def _no_such_option(name: str, possibilities: Sequence[str], command: str) -> str:
    if re.fullmatch(r"-\d+", name):
        return text("{number} is negative: it must be 0 or more", number=name)
    if name == "--json":
        return text("no such option: --json; JSON is `--output json`")
    if name == "--dry-run":
        plans = [plan for program, plan in _DRY_RUNS.items() if f"{command} ".startswith(f"{program} ")]
        more = text("; {plan} shows what would change", plan=plans[-1]) if plans else ""
    else:
        names = ", ".join(sorted(possibilities))
        more = text(" (Possible options: {names})", names=names) if names else ""
    return text("no such option: {name}{more}", name=name, more=more)


def _conversion_problem(item: Mapping[str, Any]) -> str:
    if str(item["type"]).startswith("bool"):
        return text("it must be 1 or 0")
    problem = problem_of(item)
    return text("it {problem}", problem=problem) if problem.startswith(("must ", "is ")) else problem


def _variable(option: TyperOption, context: AnyContext) -> str:
    """Return the environment variable that an option's value came from, or an empty string."""
    source = context and context.get_parameter_source(option.name)
    if getattr(source, "name", "") != "ENVIRONMENT":
        return ""
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
    return text("the variable {name}", name=next(name for name in variables if os.environ.get(name)))


def json_is_wanted(arguments: Sequence[str]) -> bool:
    """Return whether a line that Typer cannot parse, or the variable, asks for `--output json`."""
    line = " ".join(arguments).partition(" -- ")[0]
    given: list[str] = re.findall(r"(?<!\S)--output[ =](\S+)", line)
    return (given[-1] if given else os.environ.get("MSTUNNEL_OUTPUT")) == "json"
