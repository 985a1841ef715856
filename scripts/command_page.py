"""The reference page of the commands: the help of each, and once the options that commands share."""

import importlib
from collections.abc import Iterator
from typing import Any

import typer

from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.cli.framework.help import row
from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    CommonOptions,
    SignInOptions,
    option_names,
)

WIDTH = 80
# A set does not repeat what those before it describe.
SETS = {
    "common": CommonOptions,
    "certificate": CertificateOptions,
    "sign-in": SignInOptions,
    "installation": InstallOptions,
}
INTRO = (
    "# Commands\n\n"
    "Options that several commands share are described once, at the top. Every command\n"
    "takes the common options unless it says otherwise, and names the other sets that it\n"
    "takes. `-h` or `--help` prints all options of a command. Each option of the sets can also\n"
    "be given as a variable: `MSTUNNEL_CA_FILE=PATH` is `--ca-file PATH`.\n"
)
# By systemd and Podman alone, which give fixed arguments.
_CALLED_BY_PROGRAMS = ("mstunnel_uplink",)


def commands() -> str:
    """The page: the shared options, then each command with its own, 80 columns wide."""
    found = [each for name, module in _programs() for each in _walk(_context(name, module))]
    shared = {option: name for name in reversed(SETS) for option in option_names(SETS[name]).values()}
    parts = [INTRO]
    for name in SETS:
        title = f"## {name.capitalize()} options\n"
        parts.append(f"{title}\n```text\n{_described(name, found, shared)}\n```\n")
    return "\n".join([*parts, *(_section(context, shared) for context in found)])


def _programs() -> list[tuple[str, str]]:
    return [(name, module) for name, module in MODULES.items() if name not in _CALLED_BY_PROGRAMS]


def _context(name: str, module: str) -> Any:
    command = typer.main.get_command(importlib.import_module(module).app)
    return typer.Context(command, info_name=name, terminal_width=WIDTH)


def _walk(context: Any) -> Iterator[Any]:
    """`context`, then those of all commands below it, depth first."""
    # Boxes drawn by the terminal are of no use on a page.
    context.command.rich_markup_mode = None
    context.command.add_help_option = False
    yield context
    for name, command in getattr(context.command, "commands", {}).items():
        below = typer.Context(command, info_name=name, parent=context, terminal_width=WIDTH)
        yield from _walk(below)


def _sets(context: Any) -> list[str]:
    """The names of the sets all of whose options the command has."""
    own = {name for parameter in context.command.params for name in parameter.opts}
    return [name for name, options in SETS.items() if own.issuperset(option_names(options).values())]


def _described(name: str, contexts: list[Any], shared: dict[str, str]) -> str:
    """The options of a set, as the first command that has it shows them."""
    context = next(context for context in contexts if name in _sets(context))
    formatter = context.make_formatter()
    options = [each for each in context.command.params if shared.get(each.opts[0]) == name]
    formatter.write_dl(filter(None, (row(each, context) for each in options)))
    return _trimmed(formatter.getvalue())


def _section(context: Any, shared: dict[str, str]) -> str:
    """A command with its help, in which the shared options are only named."""
    sets = _sets(context)
    for parameter in context.command.params:
        parameter.hidden |= shared.get(parameter.opts[0]) in sets
    heading = "###" if context.parent else "##"
    help_ = _trimmed(context.command.get_help(context))
    return f"{heading} `{context.command_path}`\n\n```text\n{help_}\n```\n{_note(sets)}"


def _note(sets: list[str]) -> str:
    """Which sets a command takes, where it is not the common one alone."""
    links = ", ".join(f"[{name}](#{name}-options)" for name in sets if name != "common")
    if "common" not in sets:
        return "\nNone of the common options.\n"
    return f"\nAlso: {links} options.\n" if links else ""


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
