"""What a check is and what it finds."""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from mstunnel_setup.base.errors import Declared, declare

DOCUMENTATION = "docs/reference/readiness.md"


class Group(StrEnum):
    """The groups of checks, in the order in which they are shown."""

    UTILS = "utils"
    HOST = "host"
    NETWORK = "network"
    CERTIFICATE = "certificate"
    ROOTLESS = "rootless"
    ACCOUNT = "account"
    INBOUND = "inbound"


class Severity(StrEnum):
    """What a problem means: no installation without it, better with it, good to know."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    INFO = "info"


class Outcome(StrEnum):
    """How a check ended. Skipped: it does not apply here; unknown: it could not be found out."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    WARNING = "warning"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """The judgement of one check: outcome, what was seen, and what to do about it.

    Without `outcome` it is a problem: a failure or a warning, by the severity of the check.
    """

    outcome: Outcome | None
    seen: str
    hint: str = ""


def declare_verdict(outcome: Outcome | None, check: str, seen: str, hint: str) -> Declared[Verdict]:
    """Declare something that the check of this id may find; what `seen` and `hint` name is given later."""
    return declare(lambda _, seen, hint: Verdict(outcome, seen, hint), check, seen, hint, DOCUMENTATION)


class Readiness(StrEnum):
    """What all findings come to. Undecided: nothing failed, but a required check could not be made."""

    READY = "ready"
    UNDECIDED = "undecided"
    NOT_READY = "not-ready"


@dataclass(frozen=True)
class Finding:
    """One row of the report; `docs` is the place in the documentation that explains the check."""

    id: str
    group: Group
    severity: Severity
    result: Outcome
    seen: str
    hint: str
    docs: str
    title: str


Judge: TypeAlias = Callable[..., Verdict]


@dataclass(frozen=True)
class Check:
    """A pure judgement. `needs` names the sections of `Facts` that `judge` takes, in order.

    `passes` says when it passes, for the documentation (Markdown).
    """

    id: str
    group: Group
    severity: Severity
    title: str
    passes: str
    needs: tuple[str, ...]
    judge: Judge = field(repr=False)

    def finding(self, verdict: Verdict) -> Finding:
        """The row of the report for this verdict."""
        problem = Outcome.FAIL if self.severity is Severity.REQUIRED else Outcome.WARNING
        docs = f"{DOCUMENTATION}#{self.id}"
        result = verdict.outcome or problem
        return Finding(
            self.id, self.group, self.severity, result, verdict.seen, verdict.hint, docs, self.title
        )


class Checks:
    """The checks of one module, in the order of the report: each is added where its judgement is defined."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._checks: list[Check] = []

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)

    def add(
        self, identifier: str, title: str, severity: Severity = Severity.REQUIRED, *, passes: str
    ) -> Callable[[Judge], Judge]:
        """Make a check of a function; its parameters are named after the sections of `Facts` it needs."""

        def added(judge: Judge) -> Judge:
            needs = tuple(inspect.signature(judge).parameters)
            self._checks.append(Check(identifier, self._group, severity, title, passes, needs, judge))
            return judge

        return added


def passed(seen: str) -> Verdict:
    """The host has what the check wants."""
    return Verdict(Outcome.PASS, seen)


def skipped(reason: str, hint: str = "") -> Verdict:
    """The check does not apply here."""
    return Verdict(Outcome.SKIPPED, reason, hint)


def undecided(findings: Iterable[Finding], ignored: Collection[str] = ()) -> tuple[Finding, ...]:
    """The required checks, but for those ignored, that could not be made."""
    return tuple(
        item
        for item in findings
        if item.result is Outcome.UNKNOWN and item.severity is Severity.REQUIRED and item.id not in ignored
    )


def readiness(findings: Sequence[Finding], ignored: Collection[str] = ()) -> Readiness:
    """What the findings come to, but for those ignored."""
    if any(item.result is Outcome.FAIL and item.id not in ignored for item in findings):
        return Readiness.NOT_READY
    return Readiness.UNDECIDED if undecided(findings, ignored) else Readiness.READY
