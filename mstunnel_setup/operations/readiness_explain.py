"""`mst-readiness explain ID`: what a check looks at, why it matters, and how to fix what it finds."""

from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import remedies


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
        text("  {hint}", hint=each["hint"])
        if "…" in each["seen"]
        else text("  {seen}: {hint}", seen=each["seen"], hint=each["hint"])
        for each in found
    ]
    lines = [
        text(
            "{id}: {title} ({group}, {severity})",
            id=item.id,
            title=item.title,
            group=item.group,
            severity=item.severity,
        ),
        "",
        text("Passes when"),
        text("  {passes}", passes=item.passes),
        text("Why it matters"),
        text("  {why}", why=item.why),
        text("How to fix it"),
        *([text("  {fix}", fix=item.fix)] if item.fix else fixes),
    ]
    return Result(data=data, text=fold_all(lines))
