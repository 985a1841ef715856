"""The commands of a program: Typer's, with our help, the options of every command, and results.

A command is a function of the values on its line that returns what does the work:

    @app.command()
    def backup(file: Annotated[Path, typer.Argument(help="The new archive.")]) -> Work:
        \"\"\"Back up what another host needs to replace this one.\"\"\"
        from mstunnel_setup.operations import backup

        return lambda operator: backup.backup(operator, file)

It imports the work when it is called: the help of a program imports none.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandFunctionType

from mstunnel_setup import __version__
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.cli.framework.help import COMMON, STYLE, AnyContext, Mount, PlainCommand, PlainGroup
from mstunnel_setup.cli.framework.options import (
    CommonOptions,
    Kinds,
    OutputFormat,
    is_given,
    option_names,
    options_of,
    parameters,
    take,
)
from mstunnel_setup.cli.framework.render import run_app, run_command
from mstunnel_setup.cli.framework.streams import keep_open
from mstunnel_setup.cli.framework.translation import select
from mstunnel_setup.cli.framework.usage import command_name
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.own_process import keep_private

Work: TypeAlias = Callable[[Operator], Result]


class ProgramVersion(Report):
    """The report of `--version`."""

    version: str


@dataclass(frozen=True)
class VersionOption:
    """The --version option, which every program has."""

    SECTION: ClassVar[str] = COMMON

    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.")] = False


class Command(PlainCommand):
    """A command with the options of every command, whose function returns the work."""

    options: ClassVar[Kinds] = (CommonOptions,)
    """The dataclasses whose options the command takes."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.params = [*parameters(self.options), *self.params]

    def invoke(self, ctx: AnyContext) -> None:
        """Do the work, show its result, and end the program."""
        take(ctx, self.options)
        work: Work = super().invoke(ctx)
        run_command(command_name(ctx), options_of(ctx, CommonOptions), work)


class CommandGroup(PlainGroup):
    """A group that takes the options of every command.

    Alone it does the work that its function returns; without a function it prints its help.
    """

    options: ClassVar[Kinds] = (CommonOptions,)

    def __init__(self, *, name: str | None = None, **settings: Any) -> None:
        super().__init__(name=name, **settings)
        self.params = [*parameters(self.options), *self.params]

    def invoke(self, ctx: AnyContext) -> None:
        """Run the named command, or the work of the group itself if none was named."""
        take(ctx, self.options)
        work: Work | None = super().invoke(ctx)
        common = options_of(ctx, CommonOptions)
        if ctx.invoked_subcommand is not None:
            return
        if work is not None:
            run_command(command_name(ctx), common, work)
        if common.output is OutputFormat.JSON:
            raise UsageError(
                "command-missing",
                "no command is given",
                hint="See `{program} --help`.",
                program=ctx.command_path,
            )
        typer.echo(ctx.get_help())


class Program(CommandGroup):
    """A program, which has a version."""

    options: ClassVar[Kinds] = (CommonOptions, VersionOption)

    def invoke(self, ctx: AnyContext) -> None:
        """Show only the version if the command line asks for it."""
        if ctx.params["version"]:
            take(ctx, self.options)
            shown = [f"{ctx.info_name} {__version__}"]
            result = Result(report=ProgramVersion(version=__version__), text=shown)
            run_command(str(ctx.info_name), options_of(ctx, CommonOptions), lambda _operator: result)
        super().invoke(ctx)


def taking(*options: type) -> type[Command]:
    """Return the class for a command that also takes the options of these dataclasses."""
    return type("Command", (Command,), {"options": (*Command.options, *options)})


class App(typer.Typer):
    """A program, or a group of commands."""

    def __init__(self, about: str | None = None, cls: type[TyperGroup] = CommandGroup) -> None:
        self._mounts: dict[str, Mount] = {}
        cls = type(cls.__name__, (cls,), {"mounts": self._mounts})
        super().__init__(help=about, cls=cls, invoke_without_command=True, **STYLE)

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **settings: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Declare a command, as Typer does."""
        return super().command(name, cls=cls, **settings)

    def mount(self, name: str, target: str, about: str, section: str | None = None) -> None:
        """Add the group of commands `name`, an App at `target` (MODULE:APP), imported when it is named."""
        self._mounts[name] = Mount(target, about, section)

    def group(self, name: str, about: str, section: str | None = None) -> "App":
        """Add and return the group of commands `name`, which the help lists in `section`."""
        group = App()
        self.add_typer(group, name=name, help=about, rich_help_panel=section)
        return group


def simple_command(group: App, name: str, about: str, work: str, section: str | None = None) -> None:
    """Declare a command that has only the common options: `work` is `MODULE:FUNCTION` below `mstunnel_setup`.

    The module is imported when the command is called.
    """

    @group.command(name, help=about, rich_help_panel=section)
    def run() -> Work:
        module, _, function = work.partition(":")
        found: Work = getattr(import_module(f"mstunnel_setup.{module}"), function)
        return found


def refuse_before_command(context: AnyContext, *kinds: type) -> None:
    """Raise UsageError `option-misplaced` for options that were given before the name of a command.

    Commands have their own.
    """
    names = {name: option for kind in kinds for name, option in option_names(kind).items()}
    given = [option for name, option in names.items() if is_given(name, context)]
    if given:
        raise UsageError(
            "option-misplaced",
            "{options}: given before the name of the command `{command}`",
            hint="Write options after the name; `{program} {command} --help` lists those of the command.",
            options=", ".join(given),
            command=context.invoked_subcommand,
            program=context.command_path,
        )


def run_program(app: typer.Typer, program: str) -> int:
    """Run the command line of `program`; returns the exit code."""
    select(program, os.environ)
    keep_open()
    keep_private()
    return run_app(app, program)
