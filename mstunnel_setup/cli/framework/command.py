"""How a program starts, and how its commands are declared: name, options, and what does the work."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, NoReturn, TypeAlias

import typer

from mstunnel_setup import __version__
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.cli.framework.options import App, CommonOptions, show_help, with_options
from mstunnel_setup.cli.framework.render import run_app, run_command
from mstunnel_setup.cli.framework.streams import keep_open
from mstunnel_setup.cli.framework.translation import select
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.own_process import keep_private

Work: TypeAlias = Callable[[Operator], Result]
Command: TypeAlias = Callable[..., Work]
VersionOption = Annotated[bool, typer.Option("--version", "-V", help="Show the version.")]


class ProgramVersion(Report):
    """With --version."""

    version: str


def run_program(app: typer.Typer, program: str) -> int:
    """Run the command line of `program`; returns the exit code."""
    select(program, os.environ)
    keep_open()
    keep_private()
    return run_app(app, program)


def show_version(program: str, common: CommonOptions) -> NoReturn:
    """Show the version of `program`, and nothing else."""
    text = [f"{program} {__version__}"]
    result = Result(report=ProgramVersion(version=__version__), text=text)
    run_command(program, common, lambda _operator: result)


def add_root(app: typer.Typer, program: str) -> None:
    """Give `app` the options that go before a command of `program`, and `--version`."""

    @app.callback(invoke_without_command=True, help=app.info.help)
    @with_options
    def root(context: typer.Context, common: CommonOptions, version: VersionOption = False) -> None:
        if version:
            show_version(program, common)
        show_help(context, common)


def command(
    group: App, name: str | None = None, about: str | None = None, section: str | None = None
) -> Callable[[Command], Command]:
    """Declare a command of `group`: a function that takes its options and returns what does the work.

    The function is called when the command is, so that it imports the work itself:

        @command(app)
        def status() -> Work:
            \"\"\"Show site, certificate and containers.\"\"\"
            from mstunnel_setup.operations import status

            return status.overview

    Its name is the command's unless there is a `name`, its docstring the help unless there is `about`. The
    help of `group` lists it in `section`. The options of every command are added.
    """

    def declare(function: Command) -> Command:
        def run(*, context: typer.Context, common: CommonOptions, **given: Any) -> None:
            # The command as the documentation spells it, whichever spelling was typed.
            names: list[str] = []
            outer: Any = context
            while outer.parent is not None:
                names.insert(0, outer.command.name)
                outer = outer.parent
            run_command(" ".join([outer.info_name, *names]), common, function(**given))

        group.command(name, help=about, rich_help_panel=section)(with_options(run, function))
        return function

    return declare


def simple_command(group: App, name: str, about: str, work: str, section: str | None = None) -> None:
    """Declare a command that has only the common options: `work` is `MODULE:FUNCTION` below `mstunnel_setup`.

    The module is imported when the command is called.
    """

    @command(group, name, about, section)
    def run() -> Work:
        module, _, function = work.partition(":")
        found: Work = getattr(import_module(f"mstunnel_setup.{module}"), function)
        return found
