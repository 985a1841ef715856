"""How findings look: a table by group for people, and JSON data; and what `explain` shows of one check."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold, fold_all, folded, text
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import Platform, Platforms, remedies
from mstunnel_setup.readiness.model import (
    CheckFinding,
    Group,
    Outcome,
    Readiness,
    readiness,
    undecided,
)

_WORDS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "FAIL",
    Outcome.WARNING: "warn",
    Outcome.SKIPPED: "skip",
    Outcome.UNKNOWN: "?",
}
# That of the longest id.
_ID_WIDTH = 28


_VERDICTS = {
    Readiness.READY: text("Ready"),
    Readiness.UNDECIDED: text("Undecided"),
    Readiness.NOT_READY: text("Not ready"),
}


def lines(
    findings: Sequence[CheckFinding],
    ignored: Collection[str] = (),
    more: Iterable[str] = (),
    *,
    verbose: bool,
) -> Iterator[str]:
    """The table, at most 80 columns wide, `more`, and the summary; skipped checks only with `verbose`."""
    for group in Group:
        rows = [item for item in findings if item.check.group is group]
        shown = [item for item in rows if verbose or item.result is not Outcome.SKIPPED]
        if shown:
            yield group.value
            for item in shown:
                yield from _row(item)
        elif rows:
            yield group.value
            yield text("  skip  {rows} checks: {seen}", rows=len(rows), seen=rows[0].seen)
    yield from more
    yield ""
    if open_questions := undecided(findings, ignored):
        names = ", ".join(item.id for item in open_questions)
        line = text("Could not check: {names}.", names=names)
        yield from folded(fold(line, 0), line)
    if any(item.hint for item in findings):
        yield text("`mst-readiness explain ID` explains a check.")
    yield summary_line(findings, ignored)


def _row(item: CheckFinding) -> list[str]:
    word = _WORDS[item.result]
    head = f"  {word:4}  {item.id:{_ID_WIDTH}} "
    parts = fold((head + item.seen).rstrip(), len(head))
    return folded(parts, word, item.id, item.seen)


def summary(findings: Sequence[CheckFinding]) -> dict[str, int]:
    """How many findings there are of each result."""
    counted = Counter(item.result for item in findings)
    return {outcome.value: counted[outcome] for outcome in Outcome}


def summary_line(findings: Sequence[CheckFinding], ignored: Collection[str] = ()) -> str:
    """The verdict in one line."""
    counts = summary(findings)
    plural = "" if counts["warning"] == 1 else "s"
    return text(
        "{ignored}: {findings} checks, {pass_} passed, {fail} failed, {warning} "
        "warning{more}, {unknown} unknown, {skipped} skipped.",
        ignored=_VERDICTS[readiness(findings, ignored)],
        findings=len(findings),
        pass_=counts["pass"],
        fail=counts["fail"],
        warning=counts["warning"],
        more=plural,
        unknown=counts["unknown"],
        skipped=counts["skipped"],
    )


def platform_lines(table: Platforms) -> Iterator[str]:
    """The supported platforms and engines, with the day the table was read from its sources."""
    yield ""
    yield text("Supported platforms (table of {date})", date=table.date)
    for row in table.platform:
        name, engine = (
            f"{row.distribution} {row.version}",
            text("{engine} {row} or later", engine=row.engine, row=table.least_engine(row)),
        )
        yield f"  {name:14} {engine:24} {_support(row)}".rstrip()
    for engine_name, known in table.engines.items():
        rootless = (
            text(", without root {least_rootless}", least_rootless=known.least_rootless)
            if known.least_rootless
            else ""
        )
        yield text(
            "  {engine_name} from {least}{rootless}; tested: {runs}",
            engine_name=engine_name,
            least=known.least,
            rootless=rootless,
            runs="; ".join(map(str, known.runs)),
        )


def _support(row: Platform) -> str:
    if row.ended or row.last_listed:
        return (
            text("support ended {ended}", ended=row.ended)
            if row.ended
            else text("ended, last listed {last_listed}", last_listed=row.last_listed)
        )
    return "" if row.vendor else text("tested here, not listed")


def platform_data(table: Platforms) -> JsonObject:
    """The same as JSON data."""
    data = table.model_dump(mode="json", include={"date", "engines", "bad"}, by_alias=True)
    data["platform"] = [
        {**row.model_dump(mode="json"), "least_engine": table.least_engine(row)} for row in table.platform
    ]
    return data


def data(findings: Sequence[CheckFinding], ignored: Collection[str] = ()) -> JsonObject:
    """The findings as JSON data (docs/reference/readiness.md)."""
    rows: list[JsonValue] = [
        {
            "id": item.id,
            "group": item.check.group.value,
            "title": item.check.title,
            "severity": item.check.severity.value,
            "result": item.result.value,
            "seen": item.seen,
            "hint": item.hint,
            "docs": item.check.docs,
        }
        for item in findings
    ]
    return {
        "verdict": readiness(findings, ignored).value,
        "findings": rows,
        "summary": {**summary(findings)},
        "ignored": [*sorted(ignored)],
    }


def explain(name: str) -> Result:
    """The explanation of one check. Raises UsageError for a name that no check has."""
    checks.refuse_unknown([name])
    item = next(each for each in checks.CHECKS if each.id == name)
    found = remedies().get(name, [])
    data = {
        "id": item.id,
        "group": item.group.value,
        "title": item.title,
        "severity": item.severity.value,
        "passes": item.passes,
        "why": item.why,
        "fix": item.fix,
        "findings": found,
    }
    # What is only known at run time is left out.
    fixes = [
        text("  {hint}", hint=text(each["hint"]))
        if "…" in each["seen"]
        else text("  {seen}: {hint}", seen=text(each["seen"]), hint=text(each["hint"]))
        for each in found
    ]
    lines = [
        text(
            "{id}: {title} ({group}, {severity})",
            id=item.id,
            title=text(item.title),
            group=item.group,
            severity=item.severity,
        ),
        "",
        text("Passes when"),
        text("  {passes}", passes=text(item.passes)),
        text("Why it matters"),
        text("  {why}", why=text(item.why)),
        text("How to fix it"),
        *([text("  {fix}", fix=text(item.fix))] if item.fix else fixes),
    ]
    return Result(data=data, text=fold_all(lines))
