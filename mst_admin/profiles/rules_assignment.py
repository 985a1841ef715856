"""Rules for the assignment of what devices get."""

from collections.abc import Iterator

from mst_admin.assignments import Assignable
from mstunnel_setup.answers.finding import Finding, finding


def judge_assignment(declared: Assignable, what: str) -> Iterator[Finding]:
    """All findings about the assignment of an object; `what` is what people call it."""
    both = set(declared.groups) & set(declared.excluded_groups)
    if both:
        yield finding(
            "excluded_groups",
            "group-both-ways",
            "the group {group} is both included and excluded",
            hint="Remove it from one list.",
            group=min(both),
        )
    if not (declared.groups or declared.all_users or declared.all_devices):
        yield finding(
            "groups",
            "not-assigned",
            "the {what} is not assigned to any user",
            hint="Add groups by id, or all_users: true.",
            fatal=False,
            what=what,
        )
