"""What a check is and what it finds."""

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

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

    PROBLEM verdicts (`outcome` None) become a failure or a warning by the severity of their check.
    """

    outcome: Outcome | None
    seen: str
    hint: str = ""


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
    """A pure judgement. `needs` names the sections of `Facts` that `judge` takes, in order."""

    id: str
    group: Group
    severity: Severity
    title: str
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


def check(
    identifier: str, group: Group, title: str, severity: Severity = Severity.REQUIRED
) -> Callable[[Judge], Check]:
    """Make a check of a function; its parameters are named after the sections of `Facts` it needs."""

    def made(judge: Judge) -> Check:
        needs = tuple(inspect.signature(judge).parameters)
        return Check(identifier, group, severity, title, needs, judge)

    return made


def passed(seen: str) -> Verdict:
    """All is well."""
    return Verdict(Outcome.PASS, seen)


def problem(seen: str, hint: str) -> Verdict:
    """Something is wrong; how bad that is depends on the severity of the check."""
    return Verdict(None, seen, hint)


def warning(seen: str, hint: str) -> Verdict:
    """Something is doubtful, however severe the check."""
    return Verdict(Outcome.WARNING, seen, hint)


def skipped(reason: str, hint: str = "") -> Verdict:
    """The check does not apply here."""
    return Verdict(Outcome.SKIPPED, reason, hint)


def unknown(reason: str, hint: str = "") -> Verdict:
    """What the check needs could not be found out."""
    return Verdict(Outcome.UNKNOWN, reason, hint)


def judge(checks: tuple[Check, ...], facts: Any) -> tuple[Finding, ...]:
    """The findings of all checks; a section of `facts` that is missing makes its checks unknown."""
    return tuple(item.finding(_verdict(item, facts)) for item in checks)


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


def _verdict(item: Check, facts: Any) -> Verdict:
    sections = [getattr(facts, name) for name in item.needs]
    missing = [name for name, section in zip(item.needs, sections, strict=True) if section is None]
    if missing:
        reason = facts.unread.get(missing[0], "this was not found out in time")
        return unknown(reason, "Run it again; give it more time with --timeout.")
    return item.judge(*sections)
