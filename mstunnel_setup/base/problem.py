"""The value type for problems: errors and warnings of results, and findings.

    found.append(warning("expires-soon", "it expires in {days} days", "Renew it.", days=days))

The texts are written where the problem is found; docs/reference and translations are extracted from there.
"""

from dataclasses import dataclass
from enum import StrEnum

from mstunnel_setup.base.text import sentence
from mstunnel_setup.base.values import JsonObject


class Severity(StrEnum):
    """The severity of a problem: only an error refuses."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """A problem: a stable kebab-case code, a message and a hint."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.WARNING

    @property
    def data(self) -> JsonObject:
        """The problem as JSON, as in the warnings or errors of a result."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


def error(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """Return a problem that refuses its subject; both texts may have parameters in braces."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.ERROR)


def warning(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """Return a problem that does not refuse its subject."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.WARNING)


def note(code: str, message: str, /, hint: str = "", **values: object) -> Problem:
    """Return a note: worth knowing, but not yet a problem."""
    return Problem(code, sentence(message, values), sentence(hint, values), Severity.NOTE)
