"""One problem with a value that people wrote, by its place."""

import difflib
from dataclasses import dataclass
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str, ...]
"""Keys from the top of a file, for example ("tenant", "cloud"); entries of lists are numbers in it."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with the value at `path`, or, with `at_key`, with the key itself."""

    path: KeyPath
    text: str
    at_key: bool = False


def suggest(word: str, known: list[str]) -> str:
    """A question whether one of `known` was meant, to append to a message; empty when none is near."""
    close = difflib.get_close_matches(
        word.lower().replace("-", "_"), known, n=1
    ) or difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
