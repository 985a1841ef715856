"""All checks, in the order of the report, and their findings."""

import difflib
from collections.abc import Iterable

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.checks import (
    addresses,
    certificate,
    host,
    network,
    proxies,
    rootless,
    tenant_account,
    utils,
)
from mstunnel_setup.readiness.model import (
    Check,
    CheckFinding,
    CheckSeverity,
    Group,
    Outcome,
    ReadinessFacts,
    Unread,
    skipped,
    unknown,
)

_LATE = Unread(reason=text("this could not be determined in time"))

CHECKS: tuple[Check, ...] = (
    *utils.CHECKS,
    *host.CHECKS,
    *addresses.CHECKS,
    *network.CHECKS,
    *proxies.CHECKS,
    *certificate.CHECKS,
    *rootless.CHECKS,
    *tenant_account.CHECKS,
)


def of(groups: frozenset[Group]) -> tuple[Check, ...]:
    """Return the checks of these groups."""
    return tuple(item for item in CHECKS if item.group in groups)


def judge(checks: Iterable[Check], facts: ReadinessFacts) -> tuple[CheckFinding, ...]:
    """Return the findings of the checks; a missing section of `facts` makes its checks unknown."""
    findings = []
    for item in checks:
        sections = {name: getattr(facts, name) for name in item.needs}
        missing = next((name for name, section in sections.items() if section is None), None)
        if missing is not None:
            why = facts.unread.get(missing, _LATE)
            found = unknown(why.reason, hint=why.hint or "Run it again; give it more time with --timeout.")
        elif item.group is Group.ROOTLESS and facts.settings.mode != "rootless":
            found = skipped("not rootless")
        else:
            found = item.judge(*sections.values())
        problem = Outcome.FAIL if item.severity is CheckSeverity.REQUIRED else Outcome.WARNING
        findings.append(CheckFinding(item, found.outcome or problem, found.seen, found.hint, found.fixed_by))
    return tuple(findings)


def refuse_unknown(ignored: Iterable[str], more: Iterable[str] = ()) -> None:
    """Raise UsageError for an ignored check that is neither one of these nor in `more`."""
    names = [*(item.id for item in CHECKS), *more]
    for name in ignored:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise UsageError(
                "check-unknown",
                "there is no check called {name}{suggestion}",
                hint="List them with `mst-readiness all --verbose`, or explain one with "
                "`mst-readiness explain ID`.",
                name=name,
                suggestion=text("; did you mean {near}?", near=near[0]) if near else "",
            )
