"""Options that commands share, declared once, and the way commands take them.

A command names a dataclass of options as a parameter and is wrapped by `with_options`:

    @app.command()
    @with_options
    def plan(context: typer.Context, common: CommonOptions, install: InstallOptions) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_origin, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import ArgumentInfo, CommandFunctionType, ParameterInfo

from mstunnel_setup.answers.settings import BY_PATH, SETTINGS, Setting
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.cli.framework.help import (
    CERTIFICATE,
    COMMON,
    IMAGES,
    SIGN_IN,
    Command,
    CommandGroup,
    Word,
)
from mstunnel_setup.io.operator import Settings

STYLE: Mapping[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    # The vendor's reference documents both.
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""What every program and group is made with."""


class OutputFormat(StrEnum):
    """How results are shown."""

    TEXT = "text"
    JSON = "json"


def option(*names: str, also: Sequence[str] = (), **more: Any) -> Any:
    """An option that is a variable as well: MSTUNNEL_ANSWERS is --answers; `also` are further variables."""
    variable = "MSTUNNEL_" + names[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, envvar=[variable, *also], **more)


def full(path: Path | None) -> Path | None:
    """The full path, of a run that may change its directory."""
    return None if path is None else path.absolute()


def _all_full(paths: list[Path] | None) -> list[Path] | None:
    return None if paths is None else [path.absolute() for path in paths]


@dataclass(frozen=True)
class CommonOptions:
    """The options of every command."""

    SECTION: ClassVar[str] = COMMON

    answers: Annotated[
        Path | None,
        option("--answers", metavar="FILE", callback=full, help="The answer file."),
    ] = None
    unattended: Annotated[
        bool,
        option(
            "--unattended",
            also=["mst_no_prompt"],
            help="Never ask; fail when an answer is missing (also mst_no_prompt=1).",
        ),
    ] = False
    output: Annotated[
        OutputFormat,
        option("--output", help="Show the result as text or JSON."),
    ] = OutputFormat.TEXT
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            also=["mst_log_verbose", "mst_verbose_log"],
            help="Print more detail, each request included (also mst_log_verbose=1).",
        ),
    ] = False
    quiet: Annotated[bool, option("--quiet", "-q", help="Print no progress.")] = False
    no_color: Annotated[bool, option("--no-color", help="Show no colors.")] = False
    root: Annotated[
        Path,
        option(
            "--root",
            metavar="DIR",
            exists=True,
            file_okay=False,
            callback=full,
            help="Use DIR as the root of the host's file system.",
        ),
    ] = Path("/")


Yes = Annotated[bool, option("--yes", "-y", help="Do not ask for confirmation.")]
"""For commands that ask before they change or remove something."""


@dataclass(frozen=True)
class SettingOptions:
    """Options that are answers: one for each of `SETTINGS`, made from its record.

    `given` is what was given, by setting path, for `answers.merge.merge`.
    """

    SETTINGS: ClassVar[tuple[Setting, ...]] = ()
    given: Settings = field(default_factory=dict)

    def settings(self) -> Settings:
        """What was given."""
        return self.given


@dataclass(frozen=True)
class CertificateOptions(SettingOptions):
    """Where the TLS certificate of the site is."""

    SETTINGS = tuple(each for each in SETTINGS if each.option and each.path.startswith("certificate."))


@dataclass(frozen=True)
class SignInOptions(SettingOptions):
    """How to reach the tenant and sign in."""

    SETTINGS = (BY_PATH["tenant.ca_file"], BY_PATH["sign_in.token_file"])


class App(typer.Typer):
    """A program, or the commands below one word, with the help of `cli.framework.help`."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **options: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Declare a command."""
        return super().command(name, cls=cls, **options)

    def group(self, name: str, about: str, section: str | None = None) -> "App":
        """The commands below the word `name`, which the help lists in `section`."""
        group = new_group()
        self.add_typer(group, name=name, help=about, rich_help_panel=section)
        return group


def new_group() -> App:
    """Commands below one word; common options may stand before their names."""
    group = App(cls=Word, **STYLE)

    @group.callback(help="", invoke_without_command=True)
    @with_options
    def options(context: typer.Context, common: CommonOptions) -> None:
        """Commands find the options in the context; without a command the help is shown."""
        show_help(context, common)

    return group


def show_help(context: typer.Context, common: CommonOptions) -> None:
    """Print the help of a word without a command. Raises UsageError where JSON is wanted: help is none."""
    if context.invoked_subcommand is None:
        if common.output is OutputFormat.JSON:
            raise UsageError(
                "command-missing",
                "no command is given",
                hint="See `{program} --help`.",
                program=context.command_path,
            )
        typer.echo(context.get_help())


def refuse_before_command(context: typer.Context, *groups: type) -> None:
    """Raise UsageError `option-misplaced` for options of `groups` that were given: a command has its own."""
    names = {field: option for group in groups for field, option in option_names(group).items()}
    given = [option for field, option in names.items() if is_given(field, context)]
    if given:
        raise UsageError(
            "option-misplaced",
            "{options}: given before the name of the command `{command}`",
            hint=("Write options after the name; `{program} {command} --help` lists those of the command."),
            options=", ".join(given),
            command=context.invoked_subcommand,
            program=context.command_path,
        )


def new_app(about: str) -> App:
    """A command line program in the house style: plain help, our own error messages."""
    return App(help=about, cls=CommandGroup, **STYLE)


def with_options(
    command: Callable[..., None], declared: Callable[..., object] | None = None
) -> Callable[..., None]:
    """Let typer see the fields of every options dataclass that `command` takes, beside its `context`.

    Where `command` takes the options of any command, those of this one, its name and its help are `declared`.
    """
    functions = [command] if declared is None else [command, declared]
    hints: dict[str, Any] = {}
    declarations: dict[str, inspect.Parameter] = {}
    for function in functions:
        hints |= get_type_hints(function, include_extras=True)
        declarations |= inspect.signature(function).parameters
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}

    @functools.wraps(functions[-1])
    def expanded(**given: Any) -> None:
        made = {name: _gather(group, given, given["context"]) for name, group in groups.items()}
        command(**given, **made)

    parameters: list[inspect.Parameter] = []
    for name, parameter in declarations.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if name in groups:
            parameters += _parameters(groups[name])
            continue
        for item in getattr(hints[name], "__metadata__", ()):
            if isinstance(item, ArgumentInfo):
                item.metavar = item.metavar or name.upper()
        parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {item.name: item.annotation for item in parameters}
    del expanded.__wrapped__
    return expanded


def _gather(group: type, given: dict[str, Any], context: typer.Context) -> Any:
    """The options of a dataclass, taken out of all that were given."""
    values = {item.name: given.pop(item.name) for item in _parameters(group)}
    if issubclass(group, SettingOptions):
        values["given"] = {}
        for setting in group.SETTINGS:
            value = values.pop(_parameter_name(setting))
            if value is None or value is False or value == []:
                continue
            if setting.file:
                value = [str(path) for path in value] if isinstance(value, list) else str(value)
            values["given"][setting.path] = setting.flag or (f"file:{value}" if setting.secret else value)
    made = group(**values)
    if isinstance(made, CommonOptions):
        outer = context.parent.obj if context.parent else None
        if isinstance(outer, CommonOptions):
            # What stood before the name of this command has read the variables already, which count less
            # than an option there: only what stands after it is another value.
            after = [item.name for item in fields(made) if is_given(item.name, context)]
            made = replace(outer, **{name: getattr(made, name) for name in after})
        context.obj = made
    return made


def is_given(name: str, context: typer.Context) -> bool:
    """Whether the option of the parameter `name` stands on the command line of this command."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def _parameters(group: type) -> Iterator[inspect.Parameter]:
    """The options of a dataclass: those of its settings, then its fields, each in its section of the help."""
    if issubclass(group, SettingOptions):
        yield from map(_setting_parameter, group.SETTINGS)
    hints: Mapping[str, Any] = get_type_hints(group, include_extras=True)
    for item in fields(group):
        kind, marks = hints[item.name], getattr(hints[item.name], "__metadata__", ())
        for info in (copy(mark) for mark in marks if isinstance(mark, ParameterInfo)):
            info.rich_help_panel = info.rich_help_panel or getattr(group, "SECTION", None)
            yield _parameter(item.name, Annotated[kind.__origin__, info], item.default)


_SECTIONS = {
    "certificate": CERTIFICATE,
    "engine": IMAGES,
    "images": IMAGES,
    "sign_in": SIGN_IN,
    "site": SIGN_IN,
    "tenant": SIGN_IN,
}


def _setting_parameter(setting: Setting) -> inspect.Parameter:
    """The option of a setting; `answers.merge` reads its variable."""
    several = get_origin(setting.kind) is tuple
    kind: Any = str | None
    if setting.flag:
        kind = bool
    elif setting.file:
        kind = list[Path] | None if several else Path | None
    elif get_origin(setting.kind) is Literal:
        kind = setting.kind | None
    info = typer.Option(
        setting.option,
        metavar=setting.metavar,
        callback=_all_full if several else full if setting.file else None,
        help=setting.help,
        rich_help_panel=_SECTIONS.get(setting.path.partition(".")[0], COMMON),
    )
    return _parameter(_parameter_name(setting), Annotated[kind, info], False if setting.flag else None)


def _parameter_name(setting: Setting) -> str:
    return setting.option.removeprefix("--").replace("-", "_")


def _parameter(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def option_names(options: type) -> dict[str, str]:
    """The options of a dataclass of typer options, by the names of its parameters."""
    # Inside Annotated, what typer calls the default is the name of the option.
    return {item.name: str(item.annotation.__metadata__[0].default) for item in _parameters(options)}
