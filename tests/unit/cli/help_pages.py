"""The help of every command, as a test reads it."""

import importlib
from typing import Any

import typer

from mstunnel_setup.cli.dispatch import MODULES
from mstunnel_setup.cli.framework.help import examples
from scripts.docs.command_tree import PROGRAMS, program

COMMANDS = [command.path for name in PROGRAMS for command in program(name).walk()]


def help_of(path: str) -> list[str]:
    """The lines of the help of a command by its path, without its examples."""
    name, *words = path.split()
    command: Any = typer.main.get_command(importlib.import_module(MODULES[name]).app)
    context = command.context_class(command, info_name=name)
    for word in words:
        command = command.get_command(context, word)
        context = command.context_class(command, info_name=word, parent=context)
    typed = {f"  {line}" for line in examples(path)}
    return [line for line in command.get_help(context).splitlines() if line not in typed]
