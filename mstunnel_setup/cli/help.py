"""Help pages: options in sections, then examples, and one line about variables."""

import json
from collections.abc import Iterable, Sequence
from copy import copy
from importlib.resources import files
from typing import Final, TypeAlias

from typer._click.core import Command as AnyCommand
from typer._click.core import Context, Parameter
from typer._click.formatting import HelpFormatter, wrap_text
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.cli.coercion import convert_when_needed
from mstunnel_setup.cli.translation import translated
from mstunnel_setup.text import fold, padded, width

COMMON: Final = "Common"
CERTIFICATE: Final = "Certificate"
SIGN_IN: Final = "Sign-in"
IMAGES: Final = "Images"
RECOVERY: Final = "Recovery"
_OWN = "Options"
_ARGUMENTS = "Arguments"
_ORDER = (_ARGUMENTS, _OWN, COMMON, CERTIFICATE, SIGN_IN, IMAGES, RECOVERY)
VARIABLES = "Each option can also be a variable: MSTUNNEL_ANSWERS=FILE is --answers FILE."
_LONGEST_SUMMARY = 1000
# `answers.merge` reads their variables.
_OF_SETTINGS = frozenset(setting.option for setting in SETTINGS if setting.option)
# Another spelling of the name of a command.
SPELLINGS = {"licenses": "licences"}
# What click adds itself, and what ends the command at once.
_OF_EVERY_PROGRAM = frozenset({"help", "version"})


_Resolved: TypeAlias = tuple[str | None, AnyCommand | None, list[str]]


class _Formatter(HelpFormatter):
    """Writes what has a translation in the language of the person, and all else as click does."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The usage line; its placeholders are the same in all languages."""
        word = translated("Usage:")
        if word == "Usage:":
            super().write_usage(prog, args, prefix)
        else:
            head = f"{word} {prog} "
            _write_lines(fold(head + args, width(head)), self)

    def write_heading(self, heading: str) -> None:
        """The heading of a section."""
        super().write_heading(translated(heading))

    def write_text(self, text: str) -> None:
        """What a command does."""
        indent = " " * self.current_indent
        said = translated(whole := " ".join(text.split()))
        if said == whole:
            said = wrap_text(text, self.width, indent, indent, preserve_paragraphs=True)
        else:
            said = "\n".join(fold(indent + said, self.current_indent))
        self.write(f"{said}\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names, and what each is."""
        said = [(name, _translated_help(about)) for name, about in rows]
        if all(width(text) == len(text) for row in said for text in row):
            super().write_dl(rows, col_max, col_spacing)
            return
        first = min(max(len(name) for name, _ in rows), col_max) + self.current_indent + col_spacing
        for name, about in said:
            head = f"{'':{self.current_indent}}{name}"
            if len(head) + col_spacing > first:
                self.write(f"{head}\n")
                head = ""
            self.write("\n".join(fold(padded(head, first) + about, first)).rstrip() + "\n")


def _translated_help(about: str) -> str:
    """The help of an option; what click adds is in brackets."""
    own, begin, added = about.partition("  [")
    words = "; ".join(map(translated, added.removesuffix("]").split("; ")))
    return f"{translated(own)}{begin}{words}]" if begin else translated(about)


class _Context(Context):
    formatter_class = _Formatter


class _Page(AnyCommand):
    """What the help of a command and of a group have alike."""

    context_class = _Context

    def get_params(self, ctx: Context) -> list[Parameter]:
        """The options and arguments, also that of the help."""
        return convert_when_needed(super().get_params(ctx))

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Examples, and how variables are named."""
        _write_end(examples(ctx.command_path), self.get_params(ctx), formatter)


class Command(_Page, TyperCommand):
    """A command whose help has its options in sections."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The options, a section after the other."""
        _write_options(self.get_params(ctx), ctx, formatter)


class CommandGroup(_Page, TyperGroup):
    """Finds commands in either spelling; lists them with whole summaries."""

    def resolve_command(self, ctx: Context, args: list[str]) -> _Resolved:
        """The command that the first word names; the vendor writes `import_cert` with `-` as well."""
        first, *others = args
        first = SPELLINGS.get(first, first)
        vendors = first.replace("-", "_")
        return super().resolve_command(ctx, [vendors if vendors in self.commands else first, *others])

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The options, a section after the other; then the commands."""
        _write_options(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The commands and the first sentence of the help of each, folded where it is long."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, _summary(command)) for name, command in found.items() if command is not None]
            )


class ArgumentOrCommand(CommandGroup):
    """Takes its own argument, or a command in its place; options may follow the argument."""

    allow_interspersed_args = True

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Options and argument; a command stands in the place of the argument, so its line has none."""
        found = super().get_params(ctx)
        return found if ctx.command is self else [each for each in found if each.param_type_name == "option"]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the options, then the argument or the name of the command."""
        (argument,) = (each for each in self.get_params(ctx) if each.param_type_name == "argument")
        parser = self.make_parser(ctx)
        # An option that only the command has is for the command to refuse or take.
        parser.ignore_unknown_options = True
        given = parser.parse_args(list(args))[0].get(str(argument.name))
        if given in self.commands:
            at = args.index(str(given))
            args = [*args[:at], str(argument.get_default(ctx)), *args[at:]]
            ctx.allow_interspersed_args = False
        return super().parse_args(ctx, args)


def _summary(command: AnyCommand) -> str:
    """The first sentence of its help."""
    said = translated(whole := " ".join((command.help or "").split()))
    return command.get_short_help_str(_LONGEST_SUMMARY) if said == whole else said.partition("。")[0]


class Word(CommandGroup):
    """A word that only leads to commands: alone it prints its help, and has no result."""


def _write_options(parameters: Iterable[Parameter], context: Context, formatter: HelpFormatter) -> None:
    rows: dict[str, list[tuple[str, str]]] = {title: [] for title in _ORDER}
    for parameter in parameters:
        if (shown := row(parameter, context)) is not None:
            rows[_section(parameter)].append(shown)
    for title, records in rows.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def row(parameter: Parameter, context: Context) -> tuple[str, str] | None:
    """Name and help of an option; None for a hidden one. One line names the variables of all."""
    shown = copy(parameter)
    # Only in the copy: a message about a wrong value names its variable.
    if isinstance(shown, TyperOption | TyperArgument):
        shown.show_envvar = False
    found: tuple[str, str] | None = shown.get_help_record(context)
    return found


def _section(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return _ARGUMENTS
    if parameter.name in _OF_EVERY_PROGRAM:
        return COMMON
    return getattr(parameter, "rich_help_panel", None) or _OWN


def examples(command: str) -> Sequence[str]:
    """What to type for `command` (`mst-cli cert show`), one command a line; none for a command without."""
    found: dict[str, list[str]] = json.loads(
        (files("mstunnel_setup") / "data" / "examples.json").read_text("utf-8")
    )
    return found.get(command, ())


def _write_end(shown: Sequence[str], parameters: Iterable[Parameter], formatter: HelpFormatter) -> None:
    """The examples as they are; the line about variables where all options have one."""
    if shown:
        with formatter.section("Examples"):
            _write_lines(shown, formatter)
    options = [each for each in parameters if isinstance(each, TyperOption) and not each.hidden]
    own = [each for each in options if each.name not in _OF_EVERY_PROGRAM]
    if own and all(each.envvar or not _OF_SETTINGS.isdisjoint(each.opts) for each in own):
        formatter.write_paragraph()
        _write_lines(fold(translated(VARIABLES), 0), formatter)


def _write_lines(lines: Iterable[str], formatter: HelpFormatter) -> None:
    for line in lines:
        formatter.write(f"{'':{formatter.current_indent}}{line}\n")
