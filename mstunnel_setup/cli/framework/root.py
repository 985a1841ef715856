"""What a program does without a command: show its version, or its help."""

from typing import Annotated, NoReturn

import typer

from mstunnel_setup import __version__
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.options import CommonOptions, show_help, with_options
from mstunnel_setup.cli.framework.render import run_command

VersionOption = Annotated[bool, typer.Option("--version", help="Show the version.")]


def show_version(program: str, common: CommonOptions) -> NoReturn:
    """Show the version of `program`, and nothing else."""
    text = [f"{program} {__version__}"]
    run_command(program, common, lambda _operator: Result(data={"version": __version__}, text=text))


def add_root(app: typer.Typer, program: str) -> None:
    """Give `app` the options that go before a command of `program`, and `--version`."""

    @app.callback(invoke_without_command=True, help=app.info.help)
    @with_options
    def root(context: typer.Context, common: CommonOptions, version: VersionOption = False) -> None:
        if version:
            show_version(program, common)
        show_help(context, common)
