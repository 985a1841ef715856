"""What every program refuses of its command line and of its variables before it parses them."""

from collections.abc import Mapping, Sequence
from typing import Final

from mstunnel_setup.cli.errors import ARGUMENT_NOT_UTF8
from mstunnel_setup.foreign import is_text

_PREFIXES: Final = ("mst_", "mstunnel_")


def refuse_undecodable(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise UsageError `argument-not-utf8` for an argument, or a variable of ours, that is not UTF-8.

    Answers, logs, JSON output and the tenant all hold UTF-8, so no such value could be stored or shown.
    """
    for number, text in enumerate(arguments, 1):
        if not is_text(text):
            raise ARGUMENT_NOT_UTF8(which=f"argument {number}", value=_shown(text))
    for name, text in environment.items():
        if name.lower().startswith(_PREFIXES) and not is_text(text):
            raise ARGUMENT_NOT_UTF8(which=f"the variable {name}", value=_shown(text))


def _shown(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
