"""Options that several commands take: dataclasses, which Typer reads as the signature of a function.

A command takes them by its class (`cls=taking(InstallOptions)`) and reads them from its context:

    options = options_of(context, InstallOptions)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

import typer

from mstunnel_setup.answers.settings import SETTINGS, Setting
from mstunnel_setup.cli.framework.help import CERTIFICATE, COMMON, IMAGES, SIGN_IN, AnyCommand, AnyContext
from mstunnel_setup.io.operator import Settings

OptionsT = TypeVar("OptionsT")
Kinds: TypeAlias = tuple[type, ...]
"""Dataclasses of options."""
_BY_OPTION: Final[Mapping[str, Setting]] = {setting.option: setting for setting in SETTINGS if setting.option}
_SECTIONS: Final = {
    "certificate": CERTIFICATE,
    "engine": IMAGES,
    "images": IMAGES,
    "sign_in": SIGN_IN,
    "site": SIGN_IN,
    "tenant": SIGN_IN,
}


class OutputFormat(StrEnum):
    """The form in which results are shown."""

    TEXT = "text"
    JSON = "json"


def option(*names: str, also: Sequence[str] = (), **more: Any) -> Any:
    """Return an option with its environment variable (MSTUNNEL_ANSWERS for --answers) and `also` others."""
    variable = "MSTUNNEL_" + names[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, envvar=[variable, *also], **more)


def setting_option(name: str) -> Any:
    """Return the option of an answer, with its setting's help; `answers.merge` reads its variable."""
    setting = _BY_OPTION[name]
    section = _SECTIONS.get(setting.path.partition(".")[0], COMMON)
    return typer.Option(name, metavar=setting.metavar, help=setting.help, rich_help_panel=section)


def absolute(path: Path | None) -> Path | None:
    """Return the full path, because a run may change its working directory."""
    return None if path is None else path.absolute()


@dataclass(frozen=True)
class CommonOptions:
    """The options of every command."""

    SECTION: ClassVar[str] = COMMON

    answers: Annotated[
        Path | None,
        option("--answers", metavar="FILE", callback=absolute, help="The answer file."),
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
            callback=absolute,
            help="Use DIR as the root of the host's file system.",
        ),
    ] = Path("/")


Yes = Annotated[bool, option("--yes", "-y", help="Do not ask for confirmation.")]
"""For commands that ask before they change or remove something."""


@dataclass(frozen=True)
class SettingOptions:
    """Options that are answers; each field is named after its setting."""

    def settings(self) -> Settings:
        """Return the given options by setting path, for `answers.merge.merge`."""
        given = {_BY_OPTION.get(f"--{name.replace('_', '-')}"): value for name, value in vars(self).items()}
        return {
            setting.path: _answer(setting, value)
            for setting, value in given.items()
            if setting is not None and value not in (None, False)
        }


def _answer(setting: Setting, value: Any) -> Any:
    """Return the value as in an answer file; paths are full, because a run may change its directory."""
    if isinstance(value, list):
        return [str(path.absolute()) for path in value]
    if isinstance(value, Path):
        return f"file:{value.absolute()}" if setting.secret else str(value.absolute())
    return setting.flag or value


@dataclass(frozen=True)
class CertificateOptions(SettingOptions):
    """The options for the TLS certificate of the site."""

    cert: Annotated[list[Path] | None, setting_option("--cert")] = None
    key: Annotated[Path | None, setting_option("--key")] = None
    pfx: Annotated[Path | None, setting_option("--pfx")] = None
    passphrase_file: Annotated[Path | None, setting_option("--passphrase-file")] = None


@dataclass(frozen=True)
class SignInOptions(SettingOptions):
    """The options for reaching the tenant and signing in."""

    ca_file: Annotated[Path | None, setting_option("--ca-file")] = None
    token_file: Annotated[Path | None, setting_option("--token-file")] = None


@cache
def _declared(options: type) -> AnyCommand:
    """Return the command that Typer makes of a dataclass: its `params`; its `callback` makes an instance."""
    app = typer.Typer(add_completion=False)
    app.command()(options)
    command: AnyCommand = typer.main.get_command(app)
    for parameter in command.params:
        parameter.rich_help_panel = parameter.rich_help_panel or getattr(options, "SECTION", None)
    return command


def parameters(kinds: Kinds) -> list[Any]:
    """Return Typer's parameters for the options of these dataclasses."""
    return [parameter for kind in kinds for parameter in _declared(kind).params]


def option_names(options: type) -> dict[str, str]:
    """Return the field names of a dataclass of options."""
    return {parameter.name: parameter.opts[0] for parameter in _declared(options).params}


def take(context: AnyContext, kinds: Kinds) -> None:
    """Move the options of these dataclasses from the arguments of a command to `options_of`.

    An option behind the name of a command counts more than one before it, and that more than a variable.
    """
    for kind in kinds:
        values = {name: context.params.pop(name) for name in option_names(kind)}
        options = _declared(kind).callback(**values)
        if (before := context.meta.get(kind.__name__)) is not None:
            behind = {name: getattr(options, name) for name in values if is_given(name, context)}
            options = replace(before, **behind)
        context.meta[kind.__name__] = options


def options_of(context: AnyContext, kind: type[OptionsT]) -> OptionsT:
    """Return the options of this kind that `take` has moved."""
    options: OptionsT = context.meta[kind.__name__]
    return options


def settings_of(context: AnyContext, kind: type[SettingOptions] = SignInOptions) -> Settings:
    """Return the answers among the options of a command."""
    return options_of(context, kind).settings()


def is_given(name: str, context: AnyContext) -> bool:
    """Return whether the option for the parameter `name` is on this command's command line."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
