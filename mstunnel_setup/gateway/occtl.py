"""The queries of `mst-cli server show`, as data, and a parser for the output of occtl.

Source: docs/reference (mst-cli, section 3) and occtl(8), 1.3.0. Its JSON output has commas before
closing brackets (`show sessions`), missing commas and repeated keys (`show iroutes`); `read_answer`
accepts these.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.base.errors import EngineError, UsageError, declare
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject, JsonValue

ARGUMENT_INVALID = declare(
    UsageError, "argument-invalid", "{name} is not valid: {value!r}", "Use {expected}."
)

NOT_FOUND: Final = 2
"""Exit code of `show user` and `show id` for an unknown user or connection."""


@dataclass(frozen=True)
class ShowCommand:
    """One `show` command; `argument` is the placeholder of its argument, empty if it takes none.

    A command that `streams` runs until its standard input ends and has no JSON output. A command with `rows`
    returns a list, the others return one object.
    """

    words: tuple[str, ...]
    summary: str
    argument: str = ""
    streams: bool = False
    rows: bool = True


SHOW_COMMANDS: Final = (
    ShowCommand(("status",), text("Status and statistics of the server."), rows=False),
    ShowCommand(("users",), text("Connected users.")),
    ShowCommand(("user",), text("One user; NAME is the object id in Microsoft Entra."), "NAME"),
    ShowCommand(("id",), text("One connection."), "ID"),
    ShowCommand(("sessions", "all"), text("All sessions.")),
    ShowCommand(("sessions", "valid"), text("Sessions that devices may continue.")),
    ShowCommand(("session",), text("One session."), "SID"),
    ShowCommand(("cookies", "all"), text("The same as sessions all.")),
    ShowCommand(("cookies", "valid"), text("The same as sessions valid.")),
    ShowCommand(("ip", "bans"), text("Banned addresses.")),
    ShowCommand(("ip", "ban", "points"), text("Addresses that have points towards a ban.")),
    ShowCommand(("iroutes",), text("Routes that users provide.")),
    ShowCommand(("events",), text("Users that come and go, until it is stopped."), streams=True),
)


# In a container occtl notices the end of its client only by EOF on its input; otherwise it would run on.
_UNTIL_INPUT_ENDS: Final = (
    *("sh", "-c"),
    'exec 3<&0; "$@" <&3 & child=$!; { cat <&3; kill "$child"; } >/dev/null 2>&1 & wait "$child"',
    "sh",
)
_LINE_BY_LINE: Final = ("stdbuf", "-oL")  # line-buffered even if standard output is not a terminal


def occtl_arguments(command: ShowCommand, argument: str = "", *, as_json: bool = False) -> list[str]:
    """Return the command line to run in the gateway's container.

    Raises UsageError if the argument is missing, unexpected or invalid.
    """
    name = " ".join(("show", *command.words))
    if command.argument and not argument:
        raise UsageError(
            "argument-missing",
            "{name} needs {argument}",
            hint="Use `mst-cli server {name} {argument}`.",
            name=name,
            argument=command.argument,
        )
    if argument and not command.argument:
        raise UsageError(
            "argument-unexpected",
            "{name} takes no argument",
            hint="Use `mst-cli server {name}`.",
            name=name,
        )
    if argument:
        judge_word(command.argument, argument)
    if command.argument == "ID" and not (argument.isascii() and argument.isdigit()):
        raise ARGUMENT_INVALID(
            name="ID", value=argument, expected=text("a number listed by `mst-cli server show users`")
        )
    if command.streams:
        return [*_UNTIL_INPUT_ENDS, *_LINE_BY_LINE, "occtl", "--no-pager", "show", *command.words]
    options = ["--json"] if as_json else []
    return ["occtl", "--no-pager", *options, "show", *command.words, *([argument] if argument else [])]


_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)', re.DOTALL)


def read_answer(command: ShowCommand, text: str) -> JsonObject | list[JsonValue]:
    """Parse the output of `occtl --json`: a list for commands with `rows`, else one object.

    Raises EngineError if it cannot be parsed.
    """
    # Return the output with commas corrected to valid JSON.
    repaired: list[str] = []
    before = "["
    for piece in _TOKEN.findall(text):
        if piece == ",":
            continue
        if before not in ("[", "{", ":") and piece not in ("]", "}", ":"):
            repaired.append(",")
        repaired.append(piece)
        before = piece
    value: JsonValue = None
    with suppress(ValueError):
        # occtl writes several records into one object, so a repeated first key starts the next record.
        value = json_value("".join(repaired), pairs=_records, strict=False)
        if command.rows:
            return [row for row in (value if isinstance(value, list) else [value]) if row != {}]
    if isinstance(value, dict):
        return value
    raise EngineError(
        "occtl-answer-invalid",
        "unexpected answer from occtl: {answer}",
        hint="Check `mst-cli server status` and `mst-cli server logs`.",
        answer=plain(text, 80) or "nothing",
    )


def judge_word(placeholder: str, word: str) -> None:
    """Raise UsageError for an argument with blanks, at which occtl would split it."""
    if not word or not all(letter.isprintable() and not letter.isspace() for letter in word):
        raise ARGUMENT_INVALID(
            name=placeholder, value=word, expected=text("one word without control characters")
        )


# occtl writes these numbers and booleans as strings.
_NUMBERS: Final = frozenset({"MTU", "RX", "TX", "DPD", "KeepAlive"})
_TRUTHS: Final = frozenset({"Restricted to routes"})


def _records(pairs: list[tuple[str, JsonValue]]) -> JsonValue:
    records: list[dict[str, JsonValue]] = []
    for name, written in pairs:
        if not records or name == pairs[0][0]:
            records.append({})
        # RX and TX of `show status` have units and stay strings; `raw_rx` and `raw_tx` have the numbers.
        value = written
        if (
            isinstance(written, str)
            and name in _NUMBERS
            and (number := whole_number(written, 20)) is not None
        ):
            value = number
        elif name in _TRUTHS and written in ("True", "False"):
            value = written == "True"
        records[-1][name] = value
    if len(records) > 1:
        return [*records]
    return records[0] if records else {}
