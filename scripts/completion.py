"""Completions for bash, zsh and fish, from the tables of packaging/completion.*."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from scripts.command_tree import Command, Parameter
from scripts.wheels import ROOT

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
    table = "\n".join(map(row, _with_queries(program).walk()))
    function = program.name.replace("-", "_")
    return text.replace("FUNCTION", function).replace("PROGRAM", program.name).replace("TABLE", table)


def _lines(command: Command) -> list[str]:
    """`WORD@KIND@HELP` for each command below, option and argument."""
    lines = [f"{below.name}@-@{_brief(below.help)}" for below in command.commands]
    for parameter in command.parameters:
        kind = _kind(parameter)
        lines += [f"{name}@{kind}@{_brief(parameter.help)}" for name in parameter.names or ("",)]
    return lines


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
