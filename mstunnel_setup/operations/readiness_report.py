"""The report of `mst-readiness`: findings as data and for people, and the explanation of a check."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from pydantic import Field, NonNegativeInt
from pydantic.json_schema import SkipJsonSchema

from mstunnel_setup.base import documentation
from mstunnel_setup.base.result import Day, Report, Result
from mstunnel_setup.base.text import Line, fold, fold_all, folded, text
from mstunnel_setup.containers.versions import BadVersions, EngineRange
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import Platform, Platforms, PossibleFinding, possible_findings
from mstunnel_setup.readiness.facts.section import EngineName
from mstunnel_setup.readiness.model import (
    CheckFinding,
    CheckSeverity,
    Group,
    Outcome,
    Readiness,
    readiness,
    undecided,
)

ALL_GROUPS = "all"
"""Name of the scope that includes all groups."""

_WORDS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "FAIL",
    Outcome.WARNING: "warn",
    Outcome.SKIPPED: "skip",
    Outcome.UNKNOWN: "?",
}
_VERDICTS = {
    Readiness.READY: text("Ready"),
    Readiness.UNDECIDED: text("Undecided"),
    Readiness.NOT_READY: text("Not ready"),
}
# Width of the longest check id.
_ID_WIDTH = 28


class FindingReport(Report):
    """The finding of one check."""

    id: str = Field(description="Stable name of the check.", json_schema_extra={"pattern": "^[a-z0-9-]+$"})
    group: Group
    title: str
    severity: CheckSeverity
    result: Outcome
    seen: str = Field(description="Observed value or state.")
    hint: str = Field(description="The fix; empty if nothing is to be done.")
    docs: str = Field(description="Explanation of the check: a URL, or a path in the repository.")
    fixed_by: str = Field(description="The step of an installation that repairs it; empty without one.")

    @classmethod
    def of(cls, found: CheckFinding) -> "FindingReport":
        """Return the finding as part of a report."""
        return cls.model_validate(
            {**vars(found.check), "docs": documentation.address(found.check.docs), **vars(found)}
        )


class ResultCounts(Report):
    """The number of findings by result."""

    passed: NonNegativeInt = Field(serialization_alias="pass")
    failed: NonNegativeInt = Field(serialization_alias="fail")
    warning: NonNegativeInt
    skipped: NonNegativeInt
    unknown: NonNegativeInt

    @classmethod
    def of(cls, findings: Sequence[CheckFinding]) -> "ResultCounts":
        """Return the number of findings of each result."""
        counted = Counter(item.result for item in findings)
        return cls(
            passed=counted[Outcome.PASS],
            failed=counted[Outcome.FAIL],
            warning=counted[Outcome.WARNING],
            skipped=counted[Outcome.SKIPPED],
            unknown=counted[Outcome.UNKNOWN],
        )


class FixReport(Report):
    """A fix that --fix proposed, and whether it was applied."""

    checks: tuple[str, ...]
    says: str
    undo: str = Field(description="The way to undo the fix.")
    done: bool


class PlatformRow(Platform):
    """A supported platform with its minimum engine version."""

    least_engine: str = Field(description="The oldest version of the engine that will do there.")


class PlatformReport(Report):
    """The table of supported platforms, reported for the groups host and all."""

    date: Day = Field(description="The day it was read from its sources.")
    engines: dict[EngineName, EngineRange]
    bad: tuple[BadVersions, ...] = Field(description="Versions that are refused.")
    platform: tuple[PlatformRow, ...]

    @classmethod
    def of(cls, table: Platforms) -> "PlatformReport":
        """Return the table, each row with the oldest supported version of its engine."""
        return cls(
            date=table.date.isoformat(),
            engines=table.engines,
            bad=table.bad,
            platform=tuple(
                PlatformRow(**row.model_dump(), least_engine=table.least_engine(row))
                for row in table.platform
            ),
        )


class ReadinessReport(Report):
    """The readiness of this host for an installation."""

    scope: str = Field(description="The requested scope.", json_schema_extra={"enum": [*Group, ALL_GROUPS]})
    verdict: Readiness = Field(description="The overall result; undecided if a required check could not run.")
    findings: tuple[FindingReport, ...] = Field(description="One for every check of the scope.")
    summary: ResultCounts
    ignored: tuple[str, ...] = Field(description="Checks that were asked to be ignored.")
    fixes: tuple[FixReport, ...]
    platforms: PlatformReport | SkipJsonSchema[None] = None


class CheckExplanation(Report):
    """The explanation of a check: its condition, the reason for it, and the fix."""

    id: str
    group: Group
    title: str
    severity: CheckSeverity
    passes: str
    why: str
    fix: str
    findings: tuple[PossibleFinding, ...]


def lines(
    findings: Sequence[CheckFinding],
    ignored: Collection[str] = (),
    more: Iterable[str] = (),
    *,
    verbose: bool,
) -> Iterator[str]:
    """Yield the table, at most 80 columns wide, `more`, and the summary; skipped checks if `verbose`."""
    for group in Group:
        rows = [item for item in findings if item.check.group is group]
        shown = [item for item in rows if verbose or item.result is not Outcome.SKIPPED]
        if rows:
            yield group.value
        if rows and not shown:
            yield text("  skip  {rows} checks: {seen}", rows=len(rows), seen=rows[0].seen)
        for item in shown:
            word = _WORDS[item.result]
            head = f"  {word:4}  {item.id:{_ID_WIDTH}} "
            yield from folded(fold((head + item.seen).rstrip(), len(head)), word, item.id, item.seen)
    yield from more
    yield ""
    if open_questions := undecided(findings, ignored):
        line = text("Could not check: {names}.", names=", ".join(item.id for item in open_questions))
        yield from folded(fold(line, 0), line)
    if any(item.hint for item in findings):
        yield text("`mst-readiness explain ID` explains a check.")
    counts = ResultCounts.of(findings)
    yield text(
        "{verdict}: {checks} checks, {passed} passed, {failed} failed, {warnings} "
        "warning{plural}, {unknown} unknown, {skipped} skipped.",
        verdict=_VERDICTS[readiness(findings, ignored)],
        checks=len(findings),
        passed=counts.passed,
        failed=counts.failed,
        warnings=counts.warning,
        plural="" if counts.warning == 1 else "s",
        unknown=counts.unknown,
        skipped=counts.skipped,
    )


def platform_lines(table: Platforms) -> Iterator[str]:
    """Yield the supported platforms and engines, with the day the table was read from its sources."""
    yield ""
    yield text("Supported platforms (table of {date})", date=table.date)
    for row in table.platform:
        support = "" if row.vendor else text("tested here, not listed")
        if row.ended:
            support = text("support ended {ended}", ended=row.ended)
        elif row.last_listed:
            support = text("ended, last listed {last_listed}", last_listed=row.last_listed)
        engine = text("{engine} {version} or later", engine=row.engine, version=table.least_engine(row))
        platform = f"{row.distribution} {row.version}"
        yield Line(f"  {platform:14} {engine!s:24} {support!s}".rstrip(), platform, engine, support)
    for name, known in table.engines.items():
        least = known.least_rootless
        yield text(
            "  {engine_name} from {least}{rootless}; tested: {runs}",
            engine_name=name,
            least=known.least,
            rootless=text(", without root {least_rootless}", least_rootless=least) if least else "",
            runs="; ".join(map(str, known.runs)),
        )


def explain(name: str) -> Result[CheckExplanation]:
    """Return the explanation of one check. Raises UsageError for an unknown check."""
    checks.refuse_unknown([name])
    item = next(each for each in checks.CHECKS if each.id == name)
    found = possible_findings().get(name, ())
    report = CheckExplanation.model_validate({**vars(item), "findings": found})
    fixes = [text("  {fix}", fix=text(item.fix))] if item.fix else []
    for each in () if fixes else found:
        seen, hint = text(each.seen), text(each.hint)
        # Values that are only known at run time are shown as an ellipsis.
        known = "…" not in each.seen
        fixes.append(text("  {seen}: {hint}", seen=seen, hint=hint) if known else text("  {hint}", hint=hint))
    head = text(
        "{id}: {title} ({group}, {severity})",
        id=item.id,
        title=text(item.title),
        group=text(item.group.value),
        severity=text(item.severity.value),
    )
    lines = [head, "", text("Passes when"), text("  {passes}", passes=text(item.passes))]
    lines += [text("Why it matters"), text("  {why}", why=text(item.why)), text("How to fix it"), *fixes]
    return Result(report=report, text=fold_all(lines))
