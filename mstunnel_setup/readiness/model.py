"""All facts of an examination, and the types of checks and findings."""

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import sentence, text
from mstunnel_setup.readiness.facts.certificate import CertificateFacts, RevocationFacts
from mstunnel_setup.readiness.facts.cloud import NetworkFacts
from mstunnel_setup.readiness.facts.host import (
    AddressFacts,
    KernelFacts,
    PortFacts,
    ProxyFacts,
    RootlessFacts,
    SystemFacts,
    TunnelFacts,
)
from mstunnel_setup.readiness.facts.programs import EngineFacts, SecurityFacts
from mstunnel_setup.readiness.facts.section import Section, Settings
from mstunnel_setup.readiness.facts.tenant_account import AccountFacts
from mstunnel_setup.readiness.facts.vendor import VendorFacts

DOCUMENTATION = "docs/reference/readiness.md"


class Unread(Section):
    """The reason why a section is missing. Without a `hint` there was not enough time."""

    reason: str
    hint: str = ""


class ReadinessFacts(Section):
    """All facts about a host and its surroundings, which can be stored as JSON.

    A section is None if it is missing; `unread` then has the reason.
    """

    settings: Settings = Settings()
    system: SystemFacts | None = None
    kernel: KernelFacts | None = None
    engine: EngineFacts | None = None
    addresses: AddressFacts | None = None
    tunnel: TunnelFacts | None = None
    proxies: ProxyFacts | None = None
    security: SecurityFacts | None = None
    ports: PortFacts | None = None
    vendor: VendorFacts | None = None
    rootless: RootlessFacts | None = None
    certificate: CertificateFacts | None = None
    revocation: RevocationFacts | None = None
    network: NetworkFacts | None = None
    account: AccountFacts | None = None
    unread: dict[str, Unread] = Field(default_factory=dict)


class Group(StrEnum):
    """The groups of checks, in the order in which they are shown."""

    UTILS = "utils"
    HOST = "host"
    NETWORK = "network"
    CERTIFICATE = "certificate"
    ROOTLESS = "rootless"
    ACCOUNT = "account"


class CheckSeverity(StrEnum):
    """The effect of a problem: it prevents an installation, should be fixed, or is only information."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    INFO = "info"


class Outcome(StrEnum):
    """The outcome of a check. Skipped: it does not apply here; unknown: it could not be determined."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    WARNING = "warning"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """The verdict of one check: outcome, observation, and remedy.

    Without `outcome` it is a problem: a failure or a warning, depending on the check's severity. `fixed_by`
    is the installation step that fixes it.
    """

    outcome: Outcome | None
    seen: str
    hint: str = ""
    fixed_by: str = ""


# The texts of the following functions may have parameters in braces.
def passed(seen: str, /, **values: object) -> Verdict:
    """Return a verdict for a requirement that the host meets."""
    return Verdict(Outcome.PASS, sentence(seen, values))


def skipped(reason: str, hint: str = "", /, **values: object) -> Verdict:
    """Return a verdict for a check that does not apply here."""
    return Verdict(Outcome.SKIPPED, sentence(reason, values), sentence(hint, values))


def problem(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """Return a verdict for a problem; its severity is the check's."""
    return Verdict(None, sentence(seen, values), sentence(hint, values), fixed_by)


def warning(seen: str, /, hint: str, **values: object) -> Verdict:
    """Return a verdict for a warning, whatever the check's severity."""
    return Verdict(Outcome.WARNING, sentence(seen, values), sentence(hint, values))


def unknown(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """Return a verdict for a check whose facts could not be determined."""
    return Verdict(Outcome.UNKNOWN, sentence(seen, values), sentence(hint, values), fixed_by)


class Readiness(StrEnum):
    """The result of all findings. Undecided: nothing failed, but a required check could not be made."""

    READY = "ready"
    UNDECIDED = "undecided"
    NOT_READY = "not-ready"


Judge: TypeAlias = Callable[..., Verdict]
Requirement: TypeAlias = Literal["required", "recommended", "info"]


@dataclass(frozen=True)
class Check:
    """A check: its pure function and its texts (Markdown): when it passes, why it matters, how to fix it.

    `needs` names the sections of `ReadinessFacts` that `judge` takes, in order.
    """

    id: str
    group: Group
    severity: CheckSeverity
    title: str
    passes: str
    why: str
    fix: str
    needs: tuple[str, ...]
    judge: Judge = field(repr=False)

    @property
    def docs(self) -> str:
        """The page and anchor that explain the check."""
        return f"{DOCUMENTATION}#{self.id}"


@dataclass(frozen=True)
class CheckFinding:
    """One row of the report: the check and its verdict."""

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
        """The finding as a warning or an error of a command."""
        seen = text("{title}: {seen}", title=text(self.check.title), seen=self.seen)
        return Problem(self.id, seen, self.hint)


class Checks(list[Check]):
    """The checks of one module, in the order of the report; each is added next to its function."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._group = group

    def add(
        self, identifier: str, title: str, severity: Requirement = "required", /, **values: object
    ) -> Callable[[Judge], Judge]:
        """Create a check from a function, whose parameters are named after the sections that it needs.

        The docstring is the text for people, a paragraph each: when it passes, why it matters, and, unless
        the findings say enough, how to fix it. With `values` it is a template.
        """

        def added(judge: Judge) -> Judge:
            paragraphs = [" ".join(part.split()) for part in (judge.__doc__ or "").split("\n\n")]
            words = [part.format_map(values) if values else part for part in paragraphs]
            passes, why, fix = (*words, "", "")[:3]
            needs = tuple(inspect.signature(judge).parameters)
            requires = CheckSeverity(severity)
            self.append(Check(identifier, self._group, requires, title, passes, why, fix, needs, judge))
            return judge

        return added


def left_to_installation(
    findings: Iterable[CheckFinding], steps: Collection[str]
) -> tuple[CheckFinding, ...]:
    """Return the findings, with those that the planned installation fixes as warnings."""
    return tuple(
        replace(
            item,
            result=Outcome.WARNING,
            seen=text(
                "{seen}; will be fixed by the installation (step {step})", seen=item.seen, step=item.fixed_by
            ),
        )
        if item.fixed_by in steps and item.result in (Outcome.FAIL, Outcome.UNKNOWN)
        else item
        for item in findings
    )


def undecided(findings: Iterable[CheckFinding], ignored: Collection[str] = ()) -> tuple[CheckFinding, ...]:
    """Return the required checks, except ignored ones, that could not be made."""
    return tuple(
        item
        for item in findings
        if item.result is Outcome.UNKNOWN
        and item.check.severity is CheckSeverity.REQUIRED
        and item.id not in ignored
    )


def readiness(findings: Sequence[CheckFinding], ignored: Collection[str] = ()) -> Readiness:
    """Return the result of the findings, except ignored ones."""
    if any(item.result is Outcome.FAIL and item.id not in ignored for item in findings):
        return Readiness.NOT_READY
    return Readiness.UNDECIDED if undecided(findings, ignored) else Readiness.READY
