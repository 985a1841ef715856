"""Text that came from elsewhere, made fit to be shown."""

import unicodedata
from typing import Final

_LONGEST: Final = 400


def plain(text: object, longest: int = _LONGEST) -> str:
    """Return remote text on one line: no control, format or bidirectional characters, at most `longest`.

    Terminals obey control characters, and a log line must stay one line.
    """
    spaced = "".join(" " if character.isspace() else character for character in str(text))
    shown = "".join(character for character in spaced if unicodedata.category(character)[0] != "C")
    line = " ".join(shown.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
