"""Rules for the assignment of what devices get."""

from collections.abc import Iterator

from mst_admin.assignments import Assignable
from mst_admin.profiles import findings
from mstunnel_setup.answers.finding import Finding


def judge_assignment(declared: Assignable, what: str) -> Iterator[Finding]:
    """All findings about the assignment of an object; `what` is what people call it."""
    both = set(declared.groups) & set(declared.excluded_groups)
    if both:
        yield findings.GROUP_BOTH_WAYS(group=min(both))
    if not (declared.groups or declared.all_users or declared.all_devices):
        yield findings.NOT_ASSIGNED(what=what)
