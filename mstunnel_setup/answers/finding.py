"""Findings of rules about a declared object."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from mstunnel_setup.base.errors import Declared, declare
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import sentence

PAGE: Final = "docs/reference/mst-admin.md"


@dataclass(frozen=True)
class Finding(Problem):
    """A problem with a key of a declared object; an object with an error is not sent to the tenant."""

    key: str = ""

    @property
    def fatal(self) -> bool:
        """True for an error."""
        return self.severity is Severity.ERROR

    def at(self, key: str) -> "Finding":
        """Return the same finding about another key."""
        return replace(self, key=key)


def finding(
    key: str, code: str, message: str, /, hint: str = "", *, fatal: bool = True, **values: object
) -> Finding:
    """Return a finding about `key`; its texts have parameters in braces as an error's.

    `code` is a contract: its meaning never changes. docs/reference/mst-admin.md lists the codes of these
    calls.
    """
    severity = Severity.ERROR if fatal else Severity.WARNING
    return Finding(code, sentence(message, values), sentence(hint, values), severity, key)


def declare_finding(
    key: str, code: str, message: str, hint: str = "", *, fatal: bool = True
) -> Declared[Finding]:
    """Return a declared finding about `key`, for findings that several rules report."""
    severity = Severity.ERROR if fatal else Severity.WARNING
    return declare(partial(Finding, severity=severity, key=key), code, message, hint, PAGE)
