"""Options that commands share, declared once, and the way commands take them.

A command names a dataclass of options as a parameter and is wrapped by `with_options`:

    @app.command()
    @with_options
    def plan(common: CommonOptions, install: InstallOptions) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup
from typer.models import ArgumentInfo, OptionInfo

from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.install.request import InstallRequest

_CONTEXT = "context_"
_LONGEST_SUMMARY = 1000
_VARIABLES = {setting.option: setting.variable for setting in SETTINGS if setting.option}


class OutputFormat(StrEnum):
    """How results are shown."""

    TEXT = "text"
    JSON = "json"


class EngineChoice(StrEnum):
    """Which container engine to use."""

    AUTO = "auto"
    PODMAN = "podman"
    DOCKER = "docker"


def _full(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _all_full(paths: list[Path] | None) -> list[Path] | None:
    return None if paths is None else [path.absolute() for path in paths]


@dataclass(frozen=True)
class CommonOptions:
    """The options of every command."""

    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", envvar="MSTUNNEL_ANSWERS", callback=_full, help="The answer file."
        ),
    ] = None
    unattended: Annotated[
        bool,
        typer.Option(
            "--unattended",
            envvar=["MSTUNNEL_UNATTENDED", "mst_no_prompt"],
            help="Never ask; fail when an answer is missing.",
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
            envvar=["MSTUNNEL_VERBOSE", "mst_log_verbose", "mst_verbose_log"],
            help="Print more detail.",
        ),
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
            callback=_full,
            help="Use DIR as the root of the host's file system.",
        ),
    ] = Path("/")

    def over(self, outer: "CommonOptions") -> "CommonOptions":
        """These options; what was left at its default is taken from `outer`, given before it."""
        default = CommonOptions()
        own = {
            item.name: getattr(
                outer if getattr(self, item.name) == getattr(default, item.name) else self, item.name
            )
            for item in fields(self)
        }
        return CommonOptions(**own)


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, by setting path."""
    return {path: value for path, value in settings.items() if value not in (None, [])}


@dataclass(frozen=True)
class CertificateOptions:
    """Where the TLS certificate of the site is."""

    cert: Annotated[
        list[Path] | None,
        typer.Option(
            "--cert",
            metavar="PATH",
            callback=_all_full,
            help="Certificate with its chain (PEM); may be repeated.",
        ),
    ] = None
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PATH", callback=_full, help="Private key (PEM).")
    ] = None
    pfx: Annotated[
        Path | None,
        typer.Option("--pfx", metavar="PATH", callback=_full, help="PFX, instead of --cert and --key."),
    ] = None
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file", metavar="PATH", callback=_full, help="File with the PFX passphrase."
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
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

    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", metavar="PATH", callback=_full, help="Further trusted roots (PEM)."),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", metavar="PATH", callback=_full, help="Access token, instead of a device code."
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """What was given, by setting path, for `answers.merge.merge`."""
        return given(
            {
                "tenant.ca_file": self.ca_file and str(self.ca_file),
                "sign_in.token_file": self.token_file and str(self.token_file),
            }
        )


@dataclass(frozen=True)
class InstallOptions(SignInOptions, CertificateOptions):
    """The options of commands that install or plan; `answers.merge` reads MSTUNNEL_<OPTION> for settings."""

    accept_eula: Annotated[
        bool, typer.Option("--accept-eula", help="I have read the licence terms and accept them.")
    ] = False
    rootless: Annotated[bool, typer.Option("--rootless", help="Install into rootless Podman.")] = False
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Account of a rootless gateway.")
    ] = None
    lab: Annotated[
        str,
        typer.Option(
            "--lab",
            metavar="URL#FINGERPRINT",
            envvar="MSTUNNEL_LAB",
            help="Lab tenant, as `mstunnel-lab serve` prints it.",
        ),
    ] = ""
    engine: Annotated[EngineChoice | None, typer.Option("--engine", help="Container engine.")] = None
    site: Annotated[str | None, typer.Option("--site", metavar="ID_OR_NAME", help="Site to join.")] = None
    offline: Annotated[
        list[Path] | None,
        typer.Option(
            "--offline", metavar="ARCHIVE", callback=_all_full, help="Load the images from this archive."
        ),
    ] = None
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="STEP", envvar="MSTUNNEL_SKIP", help="Skip a step."),
    ] = None
    ignore_check: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore-check", metavar="ID", envvar="MSTUNNEL_IGNORE_CHECK", help="Ignore a failed check."
        ),
    ] = None
    rollback_on_failure: Annotated[
        bool,
        typer.Option(
            "--rollback-on-failure",
            envvar="MSTUNNEL_ROLLBACK_ON_FAILURE",
            help="Roll back everything when a step fails.",
        ),
    ] = False
    progress_fd: Annotated[
        int | None,
        typer.Option(
            "--progress-fd",
            metavar="N",
            min=1,
            envvar="MSTUNNEL_PROGRESS_FD",
            help="Write events (JSON lines) to N.",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """What was given, by setting path, for `answers.merge.merge`."""
        own = {
            "eula": "accept" if self.accept_eula else None,
            "mode": "rootless" if self.rootless else None,
            "account": self.account,
            "engine": self.engine and self.engine.value,
            "site": self.site,
            "images.archive": [str(path) for path in self.offline or ()],
        }
        return {**CertificateOptions.settings(self), **SignInOptions.settings(self), **given(own)}

    def request(self) -> InstallRequest:
        """All of them as values."""
        return InstallRequest(
            settings=self.settings(),
            skip=tuple(self.skip or ()),
            ignored_checks=tuple(self.ignore_check or ()),
            rollback_on_failure=self.rollback_on_failure,
            progress_fd=self.progress_fd,
            lab=self.lab,
        )


class CommandGroup(TyperGroup):
    """Finds commands in either spelling; lists them with whole summaries."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names; the vendor writes `import_cert` with `-` as well."""
        first, *others = args
        vendors = first.replace("-", "_")
        return super().resolve_command(ctx, [vendors if vendors in self.commands else first, *others])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands and the first sentence of the help of each, folded where it is long."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(_LONGEST_SUMMARY))
                    for name, command in found.items()
                    if command is not None
                ]
            )


def new_group(about: str = "") -> typer.Typer:
    """Commands below one word, with the help `about`; common options may stand before their names."""
    group = new_app(about)

    @group.callback(help=about)
    @with_options
    def options(common: CommonOptions) -> None:
        """Nothing to do: commands find the options in the context."""

    return group


def new_app(about: str) -> typer.Typer:
    """A command line program in the house style: plain help, our own error messages."""
    return typer.Typer(
        help=about,
        cls=CommandGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        # The vendor's reference documents both.
        context_settings={"help_option_names": ["-h", "--help"]},
    )


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


def _named(name: str, hint: Any) -> Any:
    """`hint`; an argument without a metavar gets the name of the parameter."""
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, ArgumentInfo):
            item.metavar = item.metavar or name.upper()
    return hint


def _gather(group: type, given: dict[str, Any], context: typer.Context) -> Any:
    made = group(**{item.name: given.pop(item.name) for item in fields(group)})
    if isinstance(made, CommonOptions):
        outer = context.parent.obj if context.parent else None
        made = made.over(outer) if isinstance(outer, CommonOptions) else made
        context.obj = made
    return made


def _parameters(group: type) -> list[inspect.Parameter]:
    hints: Mapping[str, Any] = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=item.default,
            annotation=_with_variable(hints[item.name]),
        )
        for item in fields(group)
    ]


def _with_variable(hint: Any) -> Any:
    """`hint`; the help of an option that is a setting names the variable that `answers.merge` reads.

    typer itself must not read it: it could not tell it from the option, which counts more.
    """
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, OptionInfo) and item.envvar is None:
            # In an annotation typer takes the first name for the default.
            names = (item.default, *(item.param_decls or ()))
            note = next((f"  [env var: {_VARIABLES[name]}]" for name in names if name in _VARIABLES), "")
            item.help = (item.help or "").removesuffix(note) + note
    return hint


def option_names(options: type) -> dict[str, str]:
    """The options of a dataclass of typer options, by the names of its fields."""
    hints = get_type_hints(options, include_extras=True)
    # Inside Annotated, what typer calls the default is the name of the option.
    return {item.name: str(get_args(hints[item.name])[1].default) for item in fields(options)}
