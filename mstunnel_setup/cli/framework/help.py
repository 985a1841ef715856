"""Help pages: usage, description, options in sections, commands, examples, and one line about variables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from typing import Any, ClassVar, Final, TypeAlias

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.base.text import fold, padded, text, width
from mstunnel_setup.cli.framework.translation import translate_typer, translated

COMMON: Final = "Common"
CERTIFICATE: Final = "Certificate"
SIGN_IN: Final = "Sign-in"
IMAGES: Final = "Images"
RECOVERY: Final = "Recovery"
_OWN = "Options"
_ARGUMENTS = "Arguments"
_COMMANDS = "Commands"
_ORDER = (_ARGUMENTS, _OWN, COMMON, CERTIFICATE, SIGN_IN, IMAGES, RECOVERY)
VARIABLES = "Each option can also be a variable: MSTUNNEL_ANSWERS=FILE is --answers FILE."
_INDENT = "  "
_WIDEST_NAME = 30
# Options of answers: `answers.merge` reads their environment variables.
_OF_SETTINGS = frozenset(setting.option for setting in SETTINGS if setting.option)
STYLE: Final[dict[str, Any]] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    # The vendor's reference documents both spellings.
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""Settings of every program and group for Typer."""
# Maps another spelling of a command to its name.
SPELLINGS: Final = {"licenses": "licences"}
# Options that Typer adds, and options that end the command at once.
_OF_EVERY_PROGRAM = frozenset({"help", "version"})

# Typer names the classes of contexts and commands in private modules only.
AnyContext: TypeAlias = Any
AnyCommand: TypeAlias = Any
Parameter: TypeAlias = TyperArgument | TyperOption
_Rows: TypeAlias = Sequence[tuple[str, str]]


class PlainCommand(TyperCommand):
    """A command with our help page; it shows arguments in upper case."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                parameter.metavar = parameter.metavar or parameter.name.upper()

    def get_help(self, ctx: AnyContext) -> str:
        """Return the help page; for a hidden command that of its group, which shows it as an argument."""
        return str(ctx.parent.get_help()) if self.hidden and ctx.parent else _page(self, ctx)


@dataclass(frozen=True)
class Mount:
    """A group of commands in a module that is imported when a command line names the group.

    Attributes:
        target: MODULE:APP.
        about: The help of the group.
        section: The section of the program's help that lists it.
    """

    target: str
    about: str
    section: str | None

    def group(self, name: str) -> TyperGroup:
        """Import the module and build the group."""
        module, _, app = self.target.partition(":")
        built = typer.main.get_group(getattr(import_module(module), app))
        built.name, built.help = name, self.about
        return built


class PlainGroup(TyperGroup):
    """A group of commands with our help page, which accepts both spellings of their names."""

    mounts: ClassVar[Mapping[str, Mount]] = {}
    """The groups that are imported when they are named."""
    arguments: ClassVar[tuple[TyperArgument, ...]] = ()
    """The metavariable for an argument that is accepted instead of a command."""

    def resolve_command(self, ctx: AnyContext, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the first word names; the vendor also writes `import-cert`."""
        first, *others = args
        first = SPELLINGS.get(first, first)
        vendors = first.replace("-", "_")
        names = self.list_commands(ctx)
        name = vendors if vendors in names else first
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            near = ", ".join(map(repr, get_close_matches(first, names)))
            more = text(". Did you mean {names}?", names=near) if near else ""
            ctx.fail(text("no such command {name}{more}", name=repr(first), more=more))
        return super().resolve_command(ctx, [name, *others])

    def list_commands(self, ctx: AnyContext) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *self.mounts]

    def get_command(self, ctx: AnyContext, cmd_name: str) -> AnyCommand:
        """Return a command, or None."""
        mount = self.mounts.get(cmd_name)
        return mount.group(cmd_name) if mount else super().get_command(ctx, cmd_name)

    def get_help(self, ctx: AnyContext) -> str:
        """Show the help page with the first sentence of each command's help."""
        sections: dict[str, list[tuple[str, str]]] = {}
        helps = {
            name: (command.help or "", getattr(command, "rich_help_panel", None))
            for name, command in self.commands.items()
        }
        helps |= {name: (mount.about, mount.section) for name, mount in self.mounts.items()}
        for name, (help_text, panel) in helps.items():
            about = " ".join(help_text.split())
            sentence, more, _ = about.partition(". ")
            said = translated(about)
            if said != about:
                sentence = said.partition("。")[0]
            elif more:
                sentence += "."
            sections.setdefault(panel or _COMMANDS, []).append((name, sentence))
        return _page(self, ctx, self.arguments, sections)


def _page(
    command: AnyCommand,
    context: AnyContext,
    arguments: Sequence[TyperArgument] = (),
    commands: Mapping[str, _Rows] | None = None,
) -> str:
    translate_typer()
    parameters = [*arguments, *command.get_params(context)]
    head = f"{translated('Usage:')} {context.command_path} "
    lines = fold(head + " ".join(command.collect_usage_pieces(context)), width(head))
    for paragraph in (command.help or "").split("\n\n"):
        content = translated(" ".join(paragraph.split()))
        lines += ["", *fold(_INDENT + content, len(_INDENT))] if content else []
    sections: dict[str, list[tuple[str, str]]] = {title: [] for title in _ORDER}
    for parameter in parameters:
        if (shown := row(parameter, context)) is not None:
            sections[_section(parameter)].append(shown)
    for title, rows in {**sections, **(commands or {})}.items():
        if rows:
            lines += ["", f"{translated(title)}:", *_definitions(rows)]
    if written := examples(context.command_path):
        lines += ["", f"{translated('Examples')}:", *(_INDENT + example for example in written)]
    options = [each for each in parameters if isinstance(each, TyperOption) and not each.hidden]
    own = [each for each in options if each.name not in _OF_EVERY_PROGRAM]
    if own and all(each.envvar or not _OF_SETTINGS.isdisjoint(each.opts) for each in own):
        lines += ["", *fold(translated(VARIABLES), 0)]
    return "\n".join(lines)


def _definitions(rows: _Rows) -> Iterator[str]:
    """Write names with descriptions; a name that is too wide is on a separate line."""
    first = min(max(len(name) for name, _ in rows), _WIDEST_NAME) + 2 * len(_INDENT)
    for name, about in rows:
        head = _INDENT + name
        if len(head) + len(_INDENT) > first:
            yield head
            head = ""
        yield from (line.rstrip() for line in fold(padded(head, first) + about, first))


def row(parameter: Parameter, context: AnyContext) -> tuple[str, str] | None:
    """Return name and help of an option, or None if it is hidden. Another line names all variables."""
    shown = copy(parameter)
    shown.help = translated(shown.help or "")
    # Only the copy loses the variable: a message about a wrong value names it.
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
    """Return the examples for `command` (`mst-cli cert show`), one command in each line."""
    written = (files("mstunnel_setup") / "data" / "examples.json").read_text("utf-8")
    found: dict[str, list[str]] = json.loads(written)  # noqa: TID251 (a file of the package)
    return found.get(command, ())
