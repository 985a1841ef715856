"""What a check is and what it finds."""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import sentence, text

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


class Requirement(StrEnum):
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

    Without `outcome` it is a problem: a failure or a warning, by the requirement of the check. `fixed_by` is
    the step of an installation that repairs it.
    """

    outcome: Outcome | None
    seen: str
    hint: str = ""
    fixed_by: str = ""


def passed(seen: str) -> Verdict:
    """The host has what the check wants."""
    return Verdict(Outcome.PASS, seen)


def skipped(reason: str, hint: str = "") -> Verdict:
    """The check does not apply here."""
    return Verdict(Outcome.SKIPPED, reason, hint)


def problem(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """Something is wrong; how bad that is depends on the check. The texts may have parameters in braces."""
    return Verdict(None, sentence(seen, values), sentence(hint, values), fixed_by)


def warning(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """Something is doubtful, whatever the check requires."""
    return Verdict(Outcome.WARNING, sentence(seen, values), sentence(hint, values), fixed_by)


def unknown(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """What the check needs could not be found out."""
    return Verdict(Outcome.UNKNOWN, sentence(seen, values), sentence(hint, values), fixed_by)


class Readiness(StrEnum):
    """What all findings come to. Undecided: nothing failed, but a required check could not be made."""

    READY = "ready"
    UNDECIDED = "undecided"
    NOT_READY = "not-ready"


Judge: TypeAlias = Callable[..., Verdict]


@dataclass(frozen=True)
class Check:
    """A pure judgement, and its words (Markdown): when it passes, why it matters, how to fix what it finds.

    `needs` names the sections of `Facts` that `judge` takes, in order. Without `fix` the findings say enough.
    """

    id: str
    group: Group
    severity: Requirement
    title: str
    passes: str
    why: str
    fix: str
    needs: tuple[str, ...]
    judge: Judge = field(repr=False)

    @property
    def docs(self) -> str:
        """The place in the documentation that explains the check."""
        return f"{DOCUMENTATION}#{self.id}"


@dataclass(frozen=True)
class Finding:
    """One row of the report: how a check ended, as in its `Verdict`."""

    check: Check
    result: Outcome
    seen: str
    hint: str = ""
    fixed_by: str = ""

    @property
    def id(self) -> str:
        """The id of the check."""
        return self.check.id

    @property
    def problem(self) -> Problem:
        """As a warning or an error of a command."""
        return Problem(
            self.id, text("{title}: {seen}", title=text(self.check.title), seen=self.seen), self.hint
        )


class Checks:
    """The checks of one module, in the order of the report: each is added where its judgement is defined."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._checks: list[Check] = []

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)

    def add(
        self,
        identifier: str,
        title: str,
        severity: Requirement = Requirement.REQUIRED,
        *,
        passes: str,
        why: str,
        fix: str = "",
    ) -> Callable[[Judge], Judge]:
        """Make a check of a function; its parameters are named after the sections of `Facts` it needs."""

        def added(judge: Judge) -> Judge:
            needs = tuple(inspect.signature(judge).parameters)
            self._checks.append(
                Check(identifier, self._group, severity, title, passes, why, fix, needs, judge)
            )
            return judge

        return added


def undecided(findings: Iterable[Finding], ignored: Collection[str] = ()) -> tuple[Finding, ...]:
    """The required checks, but for those ignored, that could not be made."""
    return tuple(
        item
        for item in findings
        if item.result is Outcome.UNKNOWN
        and item.check.severity is Requirement.REQUIRED
        and item.id not in ignored
    )


def readiness(findings: Sequence[Finding], ignored: Collection[str] = ()) -> Readiness:
    """What the findings come to, but for those ignored."""
    if any(item.result is Outcome.FAIL and item.id not in ignored for item in findings):
        return Readiness.NOT_READY
    return Readiness.UNDECIDED if undecided(findings, ignored) else Readiness.READY
