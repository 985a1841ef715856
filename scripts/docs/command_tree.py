"""Commands, options and arguments of every program, for completions, manual pages and examples."""

import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import dropwhile
from pathlib import Path
from typing import Any, get_args

import typer
from typer.core import TyperGroup

from mstunnel_setup.cli.dispatch import MODULES

# Inside the agent's container there is no shell, and the monitor has no options.
ON_SERVERS = ("mstunnel-setup", "mst-cli", "mst-readiness", "mst-admin")
"""The programs in the one file and the packages, with manual pages and completions."""
PROGRAMS = (*ON_SERVERS, "mstunnel-lab")


@dataclass(frozen=True)
class Parameter:
    """An option (`names`) or an argument (no names); `value` is empty for a flag."""

    names: tuple[str, ...]
    value: str
    is_path: bool
    choices: tuple[str, ...]
    help: str
    variables: tuple[str, ...]
    required: bool


@dataclass(frozen=True)
class Command:
    """A command by its path (`mst-cli cert show`), with those below it."""

    path: str
    help: str
    parameters: tuple[Parameter, ...]
    commands: tuple["Command", ...]

    @property
    def name(self) -> str:
        """The last word of the path."""
        return self.path.rpartition(" ")[2]

    def walk(self) -> Iterator["Command"]:
        """This command, then all below it, depth first."""
        yield self
        for command in self.commands:
            yield from command.walk()


@cache
def program(name: str) -> Command:
    """The tree of one program."""
    return _command(name, typer.main.get_command(importlib.import_module(MODULES[name]).app))


def called(line: str) -> str:
    """The command that a line of a shell runs, by its path.

    Before it may be `sudo`, variables and a directory, behind it a redirection or a pipe. Raises
    TyperException with what the program would answer to wrong words.
    """
    words = shlex.split(re.split(r" [>|]", line)[0])
    file, *rest = dropwhile(lambda word: word == "sudo" or "=" in word, words)
    name = file.rpartition("/")[2]
    command: Any = typer.main.get_command(importlib.import_module(MODULES[name]).app)
    context = command.make_context(name, rest)
    # Click keeps the name of the next command apart from the words behind it.
    while below := [*context._protected_args, *context.args]:  # noqa: SLF001 (it has no public name)
        name, command, rest = command.resolve_command(context, below)
        context = command.make_context(name, rest, parent=context)
    # A hidden command stands for an argument of its group.
    return str((context.parent if context.command.hidden else context).command_path)


def commands_of(declared: Any) -> dict[str, Any]:
    """The commands of a group by name; none for a command."""
    context = typer.Context(declared)
    names = declared.list_commands(context) if isinstance(declared, TyperGroup) else ()
    return {name: declared.get_command(context, name) for name in names}


def _command(path: str, declared: Any) -> Command:
    below = commands_of(declared)
    parameters = (*getattr(declared, "arguments", ()), *declared.params)
    return Command(
        path,
        " ".join((declared.help or "").split()),
        (*(_parameter(each) for each in parameters if not getattr(each, "hidden", False)), _HELP),
        tuple(_command(f"{path} {name}", each) for name, each in below.items() if not each.hidden),
    )


def _parameter(declared: Any) -> Parameter:
    types = list(flat(declared.type_descriptor.annotation))
    enums = [kind for kind in types if isinstance(kind, type) and issubclass(kind, Enum)]
    # What is inside of a Literal is text.
    choices = (
        *(str(member.value) for kind in enums for member in kind),
        *(kind for kind in types if isinstance(kind, str)),
    )
    is_option = declared.param_type_name == "option"
    variables = declared.envvar or ()
    return Parameter(
        tuple(declared.opts) if is_option else (),
        ""
        if is_option and declared.is_flag
        else declared.metavar or "|".join(choices) or declared.name.upper(),
        Path in types,
        choices,
        " ".join((declared.help or "").split()),
        (variables,) if isinstance(variables, str) else tuple(variables),
        declared.required,
    )


_HELP = Parameter(
    ("--help",), "", is_path=False, choices=(), help="Show the help.", variables=(), required=False
)


def flat(annotation: Any) -> Iterator[Any]:
    """The types that a union or a list is made of."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from flat(part)
