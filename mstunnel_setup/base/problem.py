"""A problem: what went wrong or may go wrong, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mstunnel_setup.base.text import sentence


class Severity(StrEnum):
    """How much a problem matters: an error ends or refuses something, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """An error, a warning or a note: a stable kebab-case code, what is wrong, what to do."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.WARNING

    @property
    def data(self) -> dict[str, Any]:
        """What JSON output shows."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


def warning(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """A warning, written where it is found; its texts have parameters in braces as those of errors."""
    return Problem(code, sentence(message, values), sentence(hint, values))
