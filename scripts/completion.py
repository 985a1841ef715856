"""Completions for bash, zsh and fish, from the tables of packaging/completion.*."""

from collections.abc import Callable

from scripts.command_tree import Command, Parameter
from scripts.wheels import ROOT

TEMPLATES = ROOT / "packaging"


def bash(program: Command) -> str:
    """For bash: words and what follows them."""

    def row(command: Command) -> str:
        lines = " ".join(_quoted(line.rpartition("@")[0]) for line in _lines(command))
        return f"    {_quoted(command.path)}) lines=({lines}) ;;"

    return _filled("bash", program, row)


def zsh(program: Command) -> str:
    """For zsh: with a help for each word."""

    def row(command: Command) -> str:
        return f"    {_quoted(command.path)}) lines=({' '.join(map(_quoted, _lines(command)))}) ;;"

    return _filled("zsh", program, row)


def fish(program: Command) -> str:
    """For fish: with a help for each word."""

    def row(command: Command) -> str:
        lines = " ".join(_quoted(line, escape="\\'") for line in _lines(command))
        return f"        case {_quoted(command.path)}\n            printf '%s\\n' {lines}"

    return _filled("fish", program, row)


def _filled(shell: str, program: Command, row: Callable[[Command], str]) -> str:
    """The template of a shell with a row for each command; FUNCTION is a name that no other program has."""
    text = (TEMPLATES / f"completion.{shell}").read_text()
    table = "\n".join(map(row, program.walk()))
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
