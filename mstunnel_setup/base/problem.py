"""The one type for what is wrong and is a value: errors and warnings of results, findings.

    found.append(warning("expires-soon", "it expires in {days} days", "Renew it.", days=days))

The texts are written where the problem is found; docs/reference and translations are extracted from there.
"""

from dataclasses import dataclass
from enum import StrEnum

from mstunnel_setup.base.text import sentence
from mstunnel_setup.base.values import JsonObject


class Severity(StrEnum):
    """How much a problem matters: an error refuses, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """A stable kebab-case code, what is wrong, and what to do."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.WARNING

    @property
    def data(self) -> JsonObject:
        """As JSON data in the list of warnings or errors of a result."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


def error(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """A problem that refuses what it is about; the texts may have parameters in braces."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.ERROR)


def warning(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """A problem that refuses nothing."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.WARNING)


def note(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """Good to know, and no problem yet."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.NOTE)
