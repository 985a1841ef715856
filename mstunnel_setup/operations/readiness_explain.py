"""`mst-readiness explain ID`: what a check looks at, why it matters, and how to fix what it finds."""

from collections.abc import Iterator
from fnmatch import fnmatch

from mstunnel_setup.base.errors import Declared
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.readiness import checks, findings, findings_rootless
from mstunnel_setup.readiness.data import explanations
from mstunnel_setup.readiness.model import Verdict

_ANY_CHECK = "*"
_UNKNOWN = "…"


def explain(name: str) -> Result:
    """The explanation of one check. Raises UsageError for a name that no check has."""
    checks.refuse_unknown([name])
    item = next(each for each in checks.CHECKS if each.id == name)
    more = explanations()[name]
    found = [verdict for verdict in _verdicts(name) if _UNKNOWN not in verdict.hint]
    data = {
        "id": item.id,
        "group": item.group.value,
        "title": item.title,
        "severity": item.severity.value,
        "passes": item.passes,
        "why": more.why,
        "fix": more.fix,
        "findings": [{"seen": verdict.seen, "hint": verdict.hint} for verdict in found],
    }
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
        text("  {why}", why=text(more.why)),
        text("How to fix it"),
        *([text("  {fix}", fix=text(more.fix))] if more.fix else map(_remedy, found)),
    ]
    return Result(data=data, text=fold_all(lines))


def _remedy(found: Verdict) -> str:
    return (
        text("  {hint}", hint=found.hint)
        if _UNKNOWN in found.seen
        else text("  {seen}: {hint}", seen=found.seen, hint=found.hint)
    )


def _verdicts(name: str) -> Iterator[Verdict]:
    """What the check finds: what is declared for it, else for those of its kind (`module-*`)."""
    declared: dict[str, list[Declared[Verdict]]] = {}
    for item in (*vars(findings).values(), *vars(findings_rootless).values()):
        if isinstance(item, Declared) and item.code != _ANY_CHECK and fnmatch(name, item.code):
            declared.setdefault(item.code, []).append(item)
    # The longest pattern is the one for this check alone.
    for item in declared[max(declared, key=len)] if declared else ():
        yield item.example()
