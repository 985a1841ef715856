"""Options that commands share, declared once, and the way commands take them.

A command names a dataclass of options as a parameter and is wrapped by `with_options`:

    @app.command()
    @with_options
    def plan(common: CommonOptions, install: InstallOptions) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import ArgumentInfo, CommandFunctionType, OptionInfo

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.cli.framework.help import CERTIFICATE, COMMON, SIGN_IN, Command, CommandGroup, Word
from mstunnel_setup.io.operator import Settings

_CONTEXT = "context_"
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


class EngineChoice(StrEnum):
    """Which container engine to use."""

    AUTO = "auto"
    PODMAN = "podman"
    DOCKER = "docker"


def full(path: Path | None) -> Path | None:
    """The full path, of a run that may change its directory."""
    return None if path is None else path.absolute()


def all_full(paths: list[Path] | None) -> list[Path] | None:
    """The full paths."""
    return None if paths is None else [path.absolute() for path in paths]


@dataclass(frozen=True)
class CommonOptions:
    """The options of every command."""

    SECTION: ClassVar[str] = COMMON

    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", envvar="MSTUNNEL_ANSWERS", callback=full, help="The answer file."
        ),
    ] = None
    unattended: Annotated[
        bool,
        typer.Option(
            "--unattended",
            envvar=["MSTUNNEL_UNATTENDED", "mst_no_prompt"],
            help="Never ask; fail when an answer is missing (also mst_no_prompt=1).",
        ),
    ] = False
    output: Annotated[
        OutputFormat,
        typer.Option("--output", envvar="MSTUNNEL_OUTPUT", help="Show the result as text or JSON."),
    ] = OutputFormat.TEXT
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            envvar=["MSTUNNEL_VERBOSE", "mst_log_verbose", "mst_verbose_log"],
            help="Print more detail, each request included (also mst_log_verbose=1).",
        ),
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="MSTUNNEL_QUIET", help="Print no progress.")
    ] = False
    no_color: Annotated[
        bool, typer.Option("--no-color", envvar="MSTUNNEL_NO_COLOR", help="Show no colors.")
    ] = False
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            metavar="DIR",
            envvar="MSTUNNEL_ROOT",
            exists=True,
            file_okay=False,
            callback=full,
            help="Use DIR as the root of the host's file system.",
        ),
    ] = Path("/")


Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="MSTUNNEL_YES", help="Do not ask for confirmation.")]
"""For commands that ask before they change or remove something."""


def given(settings: Settings) -> Settings:
    """The settings that were given, by setting path."""
    return {path: value for path, value in settings.items() if value not in (None, [])}


@dataclass(frozen=True)
class CertificateOptions:
    """Where the TLS certificate of the site is."""

    SECTION: ClassVar[str] = CERTIFICATE

    cert: Annotated[
        list[Path] | None,
        typer.Option(
            "--cert",
            metavar="PATH",
            callback=all_full,
            help="Certificate with its chain (PEM); may be repeated.",
        ),
    ] = None
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PATH", callback=full, help="Private key (PEM).")
    ] = None
    pfx: Annotated[
        Path | None,
        typer.Option("--pfx", metavar="PATH", callback=full, help="PFX, instead of --cert and --key."),
    ] = None
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file", metavar="PATH", callback=full, help="File with the PFX passphrase."
        ),
    ] = None

    def settings(self) -> Settings:
        """What was given, by setting path, for `answers.merge.merge`."""
        return given(
            {
                "certificate.chain": [str(path) for path in self.cert or ()],
                "certificate.key": self.key and str(self.key),
                "certificate.pfx": self.pfx and str(self.pfx),
                "certificate.passphrase": self.passphrase_file and f"file:{self.passphrase_file}",
            }
        )


@dataclass(frozen=True)
class SignInOptions:
    """How to reach the tenant and sign in."""

    SECTION: ClassVar[str] = SIGN_IN

    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", metavar="PATH", callback=full, help="Further trusted roots (PEM)."),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", metavar="PATH", callback=full, help="Access token, instead of a device code."
        ),
    ] = None

    def settings(self) -> Settings:
        """What was given, by setting path, for `answers.merge.merge`."""
        return given(
            {
                "tenant.ca_file": self.ca_file and str(self.ca_file),
                "sign_in.token_file": self.token_file and str(self.token_file),
            }
        )


class App(typer.Typer):
    """A program, or the commands below one word, with the help of `cli.help`."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **options: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Declare a command."""
        return super().command(name, cls=cls, **options)


def new_group(about: str = "") -> App:
    """Commands below one word, with the help `about`; common options may stand before their names."""
    group = App(cls=Word, **STYLE)

    @group.callback(help=about, invoke_without_command=True)
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


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see the fields of every options dataclass that `command` takes as its options."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}

    asked = [name for name, hint in hints.items() if hint is typer.Context]

    @functools.wraps(command)
    def expanded(**given: Any) -> None:
        context = given[asked[0]] if asked else given.pop(_CONTEXT)
        made = {name: _gather(group, given, context) for name, group in groups.items()}
        command(**given, **made)

    injected = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [] if asked else [injected]
    for name, parameter in inspect.signature(command).parameters.items():
        own = parameter.replace(annotation=_named(name, hints[name]), kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += _parameters(groups[name]) if name in groups else [own]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {item.name: item.annotation for item in parameters}
    del expanded.__wrapped__
    return expanded


def _named(name: str, hint: object) -> object:
    """`hint`; an argument without a metavar gets the name of the parameter."""
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, ArgumentInfo):
            item.metavar = item.metavar or name.upper()
    return hint


def _gather(group: type, given: dict[str, object], context: typer.Context) -> object:
    made = group(**{item.name: given.pop(item.name) for item in fields(group)})
    if isinstance(made, CommonOptions):
        made = _after_outer(made, context)
        context.obj = made
    return made


def is_given(name: str, context: typer.Context) -> bool:
    """Whether the option of the parameter `name` stands on the command line of this command."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def _after_outer(own: CommonOptions, context: typer.Context) -> CommonOptions:
    """The options given after the name of this command; all others as they were before it.

    What stood before it has read the variables already, which count less than an option there.
    """
    outer = context.parent.obj if context.parent else None
    if not isinstance(outer, CommonOptions):
        return own
    given = {item.name: getattr(own, item.name) for item in fields(own) if is_given(item.name, context)}
    return replace(outer, **given)


def _parameters(group: type) -> list[inspect.Parameter]:
    hints: Mapping[str, object] = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=item.default,
            annotation=_in_section(hints[item.name], _section(group, item.name)),
        )
        for item in fields(group)
    ]


def _section(group: type, name: str) -> str:
    """The section of the help in which the class that declares the option `name` stands."""
    owner = next(each for each in group.__mro__ if name in inspect.get_annotations(each))
    return str(getattr(owner, "SECTION", ""))


def _in_section(hint: object, section: str) -> object:
    """`hint`, with the section that `cli.help` puts the option in."""
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, OptionInfo):
            item.rich_help_panel = section or None
    return hint


def option_names(options: type) -> dict[str, str]:
    """The options of a dataclass of typer options, by the names of its fields."""
    hints = get_type_hints(options, include_extras=True)
    # Inside Annotated, what typer calls the default is the name of the option.
    return {item.name: str(get_args(hints[item.name])[1].default) for item in fields(options)}
