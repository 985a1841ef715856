"""The help of every command as people see it most often, in English and 80 columns wide: made in advance.

`cli/dispatch.py` prints such a page and loads no command line for it.
"""

import importlib
import io
import os
from contextlib import redirect_stdout
from unittest import mock

from mstunnel_setup.cli.dispatch import HELP_COLUMNS, MODULES
from mstunnel_setup.cli.framework.render import run_app
from scripts import command_tree


def text() -> str:
    """All pages, each after a form feed and the path of its command (`mst-cli cert show`) in a line."""
    commands = [
        command.path for name in command_tree.PROGRAMS for command in command_tree.program(name).walk()
    ]
    return "".join(f"\f{path}\n{page(path)}" for path in commands)


def page(command: str) -> str:
    """What `command --help` prints."""
    program, *words = command.split()
    app = importlib.import_module(MODULES[program]).app
    with mock.patch.dict(os.environ, COLUMNS=str(HELP_COLUMNS)), redirect_stdout(io.StringIO()) as shown:
        run_app(app, program, [*words, "--help"])
    return shown.getvalue()
