"""Completions for bash, zsh and fish, from the tables of packaging/completion.*."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from mstunnel_setup.answers.variables import KNOWN
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from mstunnel_setup.install.step_list import ORDER
from mstunnel_setup.operations import help_topics
from mstunnel_setup.readiness.checks import CHECKS
from scripts import ROOT
from scripts.docs.command_tree import Command, Parameter

_QUERIES = "mst-cli server show"
TEMPLATES = ROOT / "packaging"


def bash(program: Command) -> str:
    """For bash: words and what follows them."""
    return _filled("bash", program, lambda command: _case(command, without_help=True))


def zsh(program: Command) -> str:
    """For zsh: with a help for each word."""
    return _filled("zsh", program, _case)


def fish(program: Command) -> str:
    """For fish: with a help for each word."""

    def row(command: Command) -> str:
        lines = " ".join(_quoted(line, escape="\\'") for line in _lines(command))
        return f"        case {_quoted(command.path)}\n            printf '%s\\n' {lines}"

    return _filled("fish", program, row)


def _case(command: Command, *, without_help: bool = False) -> str:
    """The row of a command for bash and zsh."""
    lines = [line.rpartition("@")[0] if without_help else line for line in _lines(command)]
    return f"    {_quoted(command.path)}) lines=({' '.join(map(_quoted, lines))}) ;;"


def _with_queries(command: Command) -> Command:
    """The same tree, with the words of `mst-cli server show` as if they were commands."""
    below = tuple(map(_with_queries, command.commands))
    if command.path == _QUERIES:
        below = _words(command, [(query.words, query.summary) for query in SHOW_COMMANDS])
    return replace(command, commands=below)


def _spelled(command: Command) -> tuple[Command, ...]:
    """The command, and its other spelling with `-`, which no shell offers and the program takes."""
    alias = command.path.replace("_", "-")
    return (command,) if alias == command.path else (command, replace(command, path=alias))


def _words(command: Command, lines: Sequence[tuple[tuple[str, ...], str]]) -> tuple[Command, ...]:
    """The first words of `lines`, each with what follows it below."""
    found = []
    for word in dict.fromkeys(words[0] for words, _about in lines):
        about = next(about for words, about in lines if words[0] == word)
        rest = [(words[1:], said) for words, said in lines if words[0] == word and words[1:]]
        named = replace(command, path=f"{command.path} {word}", help=about, commands=())
        found.append(replace(named, commands=_words(named, rest)))
    return tuple(found)


def _filled(shell: str, program: Command, row: Callable[[Command], str]) -> str:
    """The template of a shell with a row for each command; FUNCTION is a name that no other program has."""
    text = (TEMPLATES / f"completion.{shell}").read_text()
    commands = (each for command in _with_queries(program).walk() for each in _spelled(command))
    table = "\n".join(map(row, commands))
    function = program.name.replace("-", "_")
    return text.replace("FUNCTION", function).replace("PROGRAM", program.name).replace("TABLE", table)


def _lines(command: Command) -> list[str]:
    """`WORD@KIND@HELP` for each command below, option and argument."""
    lines = [f"{below.name}@-@{_brief(below.help)}" for below in command.commands]
    words = _closed_sets().get(command.path, ())
    arguments = [each for each in command.parameters if not each.names]
    for parameter in command.parameters:
        # A shell offers one list for all arguments of a command.
        if words and parameter in arguments[1:]:
            continue
        kind = _kind(parameter)
        if not parameter.names and words:
            kind = f"={','.join(words)}"
        lines += [f"{name}@{kind}@{_brief(parameter.help)}" for name in parameter.names or ("",)]
    return lines


@cache
def _closed_sets() -> Mapping[str, Sequence[str]]:
    """The words that the first argument of a command may be, where the program has the list."""
    settings = sorted(KNOWN)
    return {
        "mst-cli help": [*help_topics.names()],
        "mst-cli log level": [*"01234", "verbose", "normal"],
        **{f"mst-cli env {name}": settings for name in ("get", "set", "unset")},
        "mst-readiness explain": [check.id for check in CHECKS],
        "mstunnel-setup step": [step.name for step in ORDER],
    }


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return f"={','.join(parameter.choices)}"
    if parameter.is_path:
        return "f"
    return "v" if parameter.value else "-"


def _brief(text: str) -> str:
    """The first sentence, without what separates fields."""
    return text.partition(". ")[0].rstrip(".").replace("@", " at ")


def _quoted(text: str, escape: str = "'\\''") -> str:
    """A word of a shell, quoted where it has to be."""
    plain = text.replace("-", "").replace("@", "").replace("_", "")
    return text if plain.isalnum() else "'" + text.replace("'", escape) + "'"
