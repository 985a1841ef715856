"""Manual pages in man(7), from the commands and settings that the reference pages are made from."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from mstunnel_setup import __version__
from mstunnel_setup.actions.uplink import PROGRAM as UPLINK
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.cli.framework.help import examples
from mstunnel_setup.install.installed import MONITOR
from scripts.docs import command_tree, reference
from scripts.docs.command_tree import Command, Parameter

ANSWERS = "mstunnel-answers"
# The services of a server have no completions: nobody types their options.
_PROGRAMS = (*command_tree.ON_SERVERS, MONITOR)
SECTIONS = dict.fromkeys((*_PROGRAMS, UPLINK), 8) | {"mst-admin": 1, ANSWERS: 5}
_ABOUT_UPLINK = (
    "A gateway without root runs in a network namespace of its account. This program connects that namespace "
    "to the network of the server. systemd and Podman call it; `mstunnel-setup host` sets it up."
)
_SIDES = (
    (
        "serve",
        "ACCOUNT",
        "As root, through `mstunnel-uplink.socket`: connect each network namespace that the account offers.",
    ),
    (
        "attach",
        "PORT",
        "As the account, when a container starts: offer its network namespace, and set up this end.",
    ),
)


def pages(epoch: int) -> dict[str, str]:
    """Every page by its file name (`mst-cli.8`), dated `epoch` seconds after 1970."""
    date = datetime.fromtimestamp(epoch, UTC).date().isoformat()
    made = {name: _program(command_tree.program(name)) for name in _PROGRAMS} | {
        UPLINK: _uplink(),
        ANSWERS: _answers(),
    }
    return {
        f"{name}.{SECTIONS[name]}": "\n".join([_title(name, date), *lines, *_see_also(name)]) + "\n"
        for name, lines in made.items()
    }


def _title(name: str, date: str) -> str:
    return f'.TH {name.upper()} {SECTIONS[name]} {date} "mstunnel-setup {__version__}"'


def _program(program: Command) -> Iterator[str]:
    """The options of every command are described once, at the program."""
    yield from _name(program.name, program.help.partition(". ")[0].rstrip("."))
    yield ".SH SYNOPSIS"
    yield (
        _bold(program.name)
        + " [\\fIOPTION\\fR]..."
        + (" \\fICOMMAND\\fR [\\fIARGUMENT\\fR]..." * bool(program.commands))
    )
    yield from (".SH DESCRIPTION", roff(program.help), ".SH OPTIONS", *_parameters(program.parameters))
    if program.commands:
        yield ".SH COMMANDS"
        yield "The options of the program that fit may also follow a command."
    known = set(program.parameters)
    for command in list(program.walk())[1:]:
        if not command.commands:
            yield from (f'.SS "{roff(command.path)}"', roff(command.help))
            yield from _parameters(each for each in command.parameters if each not in known)
    if lines := examples(program.path):
        yield from (".SH EXAMPLES", ".nf", *map(roff, lines), ".fi")
    yield from _exit_status()


def _uplink() -> Iterator[str]:
    """The program has no help of its own: a person never calls it."""
    yield from _name(UPLINK, "connect a gateway without root to the network")
    usages = (f"{_bold(UPLINK)} {side} \\fI{value}\\fR" for side, value, _ in _SIDES)
    yield from (".SH SYNOPSIS", "\n.br\n".join(usages))
    yield from (".SH DESCRIPTION", roff(_ABOUT_UPLINK), ".SH COMMANDS")
    for side, value, about in _SIDES:
        yield from (".TP", f"{_bold(side)} \\fI{value}\\fR", roff(about))
    yield from _exit_status()


def _name(name: str, purpose: str) -> Iterator[str]:
    yield from (".SH NAME", f"{roff(name)} \\- {roff(purpose[:1].lower() + purpose[1:])}")


def _parameters(parameters: Iterable[Parameter]) -> Iterator[str]:
    for each in parameters:
        value = f"\\fI{roff(each.value)}\\fR"
        names = ", ".join(map(_bold, each.names))
        yield from (".TP", f"{names} {value}".strip() if names and each.value else names or value)
        variables = f" [{', '.join(each.variables)}]" if each.variables else ""
        yield roff(f"{each.help}{variables}") or "No further description."


def _exit_status() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    table = (reference.REFERENCE / "exit-codes.md").read_text()
    for code, meaning in re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE):
        yield from (".TP", _bold(code), roff(meaning))


def _answers() -> Iterator[str]:
    yield from _name(ANSWERS, "answer file of mstunnel-setup")
    introduction = reference.answers().partition("\n| Setting |")[0]
    paragraphs = (roff(" ".join(paragraph.split())) for paragraph in introduction.split("\n\n")[1:])
    yield from (".SH DESCRIPTION", "\n.PP\n".join(paragraphs))
    yield ".SH SETTINGS"
    for path, info in reference.settings(AnswerFile):
        if path in BY_PATH:
            setting = BY_PATH[path]
            given = ", ".join(filter(None, (setting.option, "" if setting.section else setting.variable)))
            values = reference.values(info)
            about = ". ".join(
                filter(
                    None, (info.description, values and f"Values: {values}", given and f"Given as {given}")
                )
            )
            yield from (".TP", _bold(path), roff(f"{about}."))
    yield from (".SH EXAMPLE", ".nf", *map(roff, describe.new_file().strip().splitlines()), ".fi")


def _see_also(name: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    others = [f".BR {roff(other)} ({section})" for other, section in SECTIONS.items() if other != name]
    yield " ,\n".join(others)


def _bold(text: str) -> str:
    return f"\\fB{roff(text)}\\fR"


def roff(text: str) -> str:
    """`text` as roff: what is in backticks or asterisks of Markdown is bold, nothing else has a meaning."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    escaped = re.sub(r"\*\*`([^`]+)`\*\*", r"\\fB\1\\fR (default)", escaped)
    escaped = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
