"""What every program refuses of its command line and of its variables before it parses them."""

from collections.abc import Mapping, Sequence
from typing import Final

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import is_text
from mstunnel_setup.base.text import text

_PREFIXES: Final = ("mst_", "mstunnel_")


def refuse_undecodable(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise UsageError `argument-not-utf8` for an argument, or a variable of ours, that is not UTF-8.

    Answers, logs, JSON output and the tenant all hold UTF-8, so no such value could be stored or shown.
    """
    for number, value in enumerate(arguments, 1):
        if not is_text(value):
            raise _not_text(text("argument {number}", number=number), value)
    for name, value in environment.items():
        if name.lower().startswith(_PREFIXES) and not is_text(value):
            raise _not_text(text("the variable {name}", name=name), value)


def _not_text(which: str, given: str) -> UsageError:
    return UsageError(
        "argument-not-utf8",
        "{which} is not UTF-8 text: {value}",
        hint="Set the terminal to UTF-8 and type it again; rename a file whose name has other bytes.",
        which=which,
        value=given.encode(errors="surrogateescape").decode(errors="backslashreplace"),
    )
