"""All facts of an examination, what a check is, and what it finds."""

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import sentence, text
from mstunnel_setup.readiness.facts.account import AccountFacts
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
from mstunnel_setup.readiness.facts.inbound import InboundFacts
from mstunnel_setup.readiness.facts.programs import EngineFacts, SecurityFacts
from mstunnel_setup.readiness.facts.section import Section, Settings
from mstunnel_setup.readiness.facts.vendor import VendorFacts

DOCUMENTATION = "docs/reference/readiness.md"


class Unread(Section):
    """Why a section was not found out. Without a `hint` there was not enough time."""

    reason: str
    hint: str = ""


class ReadinessFacts(Section):
    """Everything found out about a host and its surroundings, to be kept as JSON.

    A section is None when it was not found out; `unread` then says why.
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
    inbound: InboundFacts | None = None
    unread: dict[str, Unread] = Field(default_factory=dict)


class Group(StrEnum):
    """The groups of checks, in the order in which they are shown."""

    UTILS = "utils"
    HOST = "host"
    NETWORK = "network"
    CERTIFICATE = "certificate"
    ROOTLESS = "rootless"
    ACCOUNT = "account"
    INBOUND = "inbound"


class CheckSeverity(StrEnum):
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


# Of all these the texts may have parameters in braces.
def passed(seen: str, /, **values: object) -> Verdict:
    """The host has what the check wants."""
    return Verdict(Outcome.PASS, sentence(seen, values))


def skipped(reason: str, hint: str = "", /, **values: object) -> Verdict:
    """The check does not apply here."""
    return Verdict(Outcome.SKIPPED, sentence(reason, values), sentence(hint, values))


def problem(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """Something is wrong; how bad that is depends on the check."""
    return Verdict(None, sentence(seen, values), sentence(hint, values), fixed_by)


def warning(seen: str, /, hint: str, **values: object) -> Verdict:
    """Something is doubtful, whatever the check requires."""
    return Verdict(Outcome.WARNING, sentence(seen, values), sentence(hint, values))


def unknown(seen: str, /, hint: str, fixed_by: str = "", **values: object) -> Verdict:
    """What the check needs could not be found out."""
    return Verdict(Outcome.UNKNOWN, sentence(seen, values), sentence(hint, values), fixed_by)


class Readiness(StrEnum):
    """What all findings come to. Undecided: nothing failed, but a required check could not be made."""

    READY = "ready"
    UNDECIDED = "undecided"
    NOT_READY = "not-ready"


Judge: TypeAlias = Callable[..., Verdict]
Requirement: TypeAlias = Literal["required", "recommended", "info"]


@dataclass(frozen=True)
class Check:
    """A pure judgement, and its words (Markdown): when it passes, why it matters, how to fix what it finds.

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
        """The place in the documentation that explains the check."""
        return f"{DOCUMENTATION}#{self.id}"


@dataclass(frozen=True)
class CheckFinding:
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
        seen = text("{title}: {seen}", title=text(self.check.title), seen=self.seen)
        return Problem(self.id, seen, self.hint)


class Checks(list[Check]):
    """The checks of one module, in the order of the report: each is added where its judgement is defined."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._group = group

    def add(
        self, identifier: str, title: str, severity: Requirement = "required", /, **values: object
    ) -> Callable[[Judge], Judge]:
        """Make a check of a function; its parameters are named after the sections of the facts it needs.

        The docstring has its words, a paragraph each: when it passes, why it matters, and how to fix what it
        finds, where the findings do not say enough. With `values` it is a template.
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
    """The findings; one that a step of the coming installation repairs is a warning that says so."""
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
    """The required checks, but for those ignored, that could not be made."""
    return tuple(
        item
        for item in findings
        if item.result is Outcome.UNKNOWN
        and item.check.severity is CheckSeverity.REQUIRED
        and item.id not in ignored
    )


def readiness(findings: Sequence[CheckFinding], ignored: Collection[str] = ()) -> Readiness:
    """What the findings come to, but for those ignored."""
    if any(item.result is Outcome.FAIL and item.id not in ignored for item in findings):
        return Readiness.NOT_READY
    return Readiness.UNDECIDED if undecided(findings, ignored) else Readiness.READY
