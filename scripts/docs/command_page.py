"""The reference pages of the commands: an index, the options that commands share, the help of each command.

A program has a page, and each group of its commands (`mst-cli server`) another one.
"""

import importlib
from collections.abc import Iterator
from copy import deepcopy
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
from scripts.docs.command_tree import commands_of
from scripts.docs.error_codes import table, tree

WIDTH = 80
# A set does not repeat what those before it describe.
SETS = {
    "common": CommonOptions,
    "certificate": CertificateOptions,
    "sign-in": SignInOptions,
    "installation": InstallOptions,
}
_INTRO = (
    "# Commands\n\n"
    "Every command takes the [common options](commands/options.md#common-options) unless its page says\n"
    "otherwise. `-h` or `--help` prints all options of a command.\n"
)
_OPTIONS = (
    "# Options of several commands\n\n"
    "Each of them can also be given as a variable: `MSTUNNEL_CA_FILE=PATH` is `--ca-file PATH`.\n"
)
# By systemd and Podman alone, which give fixed arguments.
_CALLED_BY_PROGRAMS = ("mstunnel_uplink",)


def pages() -> dict[str, str]:
    """The pages by name: `commands.md` is the index, the others are in `commands/`."""
    found = [each for name, module in _programs() for each in _walk(_context(name, module))]
    shared = {option: name for name in reversed(SETS) for option in option_names(SETS[name]).values()}
    by_page: dict[str, list[Any]] = {}
    for each in found:
        by_page.setdefault(_page(each), []).append(each)
    index = [_INTRO, _options_table(), *(_program(name, found) for name, _ in _programs())]
    programs = [name for name, _ in _programs()]
    made = {"commands.md": "\n".join([*index, tree(f"commands/{name}" for name in ("options", *programs))])}
    made["commands/options.md"] = "\n".join([_OPTIONS, *(_set(name, found, shared) for name in SETS)])
    for name, some in by_page.items():
        sections = (_section(each, shared, "#" if each is some[0] else "##") for each in some)
        groups = [group for group in by_page if name in programs and group.startswith(f"{name}-")]
        made[f"commands/{name}.md"] = "\n".join([*sections, *([tree(groups)] if groups else [])])
    return made


def _group(context: Any) -> str:
    """The program and the group of a command, such as `mst-cli server`."""
    while context.parent and (context.parent.parent or not commands_of(context.command)):
        context = context.parent
    return str(context.command_path)


def _page(context: Any) -> str:
    return _group(context).replace(" ", "-")


def _program(name: str, contexts: list[Any]) -> str:
    """A table of the commands of a program; each has the anchor that it had when all were on one page."""
    rows = (
        (
            f'<a id="{_slug(each)}"></a>[`{each.command_path}`](commands/{_page(each)}.md#{_slug(each)})',
            _about(each),
        )
        for each in contexts
        if each.command_path.partition(" ")[0] == name
    )
    return f"## {name}: all commands\n\n{table(('Command', 'What it does'), rows)}"


def _options_table() -> str:
    rows = (
        (f'<a id="{name}-options"></a>[{name.capitalize()} options](commands/options.md#{name}-options)',)
        for name in SETS
    )
    return table(("Options of several commands",), rows)


def _slug(context: Any) -> str:
    return str(context.command_path).replace(" ", "-")


def _about(context: Any) -> str:
    """The first sentence of the help."""
    text = " ".join((context.command.help or "").split())
    return text.partition(". ")[0].rstrip(".").replace("|", "\\|")


def _set(name: str, found: list[Any], shared: dict[str, str]) -> str:
    title = f"## {name.capitalize()} options\n"
    return f"{title}\n```text\n{_described(name, found, shared)}\n```\n"


def _programs() -> list[tuple[str, str]]:
    return [(name, module) for name, module in MODULES.items() if name not in _CALLED_BY_PROGRAMS]


def _context(name: str, module: str) -> Any:
    # A copy: pages change commands, and tests share one tree of them.
    command = deepcopy(typer.main.get_command(importlib.import_module(module).app))
    return typer.Context(command, info_name=name, terminal_width=WIDTH)


def _walk(context: Any) -> Iterator[Any]:
    """`context`, then those of all commands below it, depth first."""
    # Boxes drawn by the terminal are of no use on a page.
    context.command.rich_markup_mode = None
    context.command.add_help_option = False
    yield context
    for name, command in commands_of(context.command).items():
        below = typer.Context(deepcopy(command), info_name=name, parent=context, terminal_width=WIDTH)
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


def _section(context: Any, shared: dict[str, str], heading: str) -> str:
    """A command with its help, in which the shared options are only named."""
    sets = _sets(context)
    for parameter in context.command.params:
        parameter.hidden |= shared.get(parameter.opts[0]) in sets
    help_ = _trimmed(context.command.get_help(context))
    return f"{heading} `{context.command_path}`\n\n```text\n{help_}\n```\n{_note(sets)}"


def _note(sets: list[str]) -> str:
    """Which sets a command takes, where it is not the common one alone."""
    links = ", ".join(f"[{name}](options.md#{name}-options)" for name in sets if name != "common")
    if "common" not in sets:
        return "\nNone of the [common options](options.md#common-options).\n"
    return f"\nAlso: {links} options.\n" if links else ""


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
