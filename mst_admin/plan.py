"""The difference between what is declared and what the tenant has, as changes in the order of doing them."""

from datetime import datetime

from mst_admin.change import Change
from mst_admin.declarations import DeclarationError, DeclarationSet
from mst_admin.kinds import KINDS
from mst_admin.kinds.tenant import Planning, TenantObjects


def plan(
    declared: DeclarationSet, tenant: TenantObjects, now: datetime, *, prune: bool = False
) -> list[Change]:
    """The changes that make the tenant as declared; with `prune` also the deletion of what is not declared.

    Only of the kinds that the declarations speak about, even with an empty list. Objects are found again by
    name. What is named must exist or be declared, and not be deleted. Raises
    TenantError `name-ambiguous` when the tenant has two of a name, `app-missing`, `profile-unknown` and
    `trusted-root-unknown`, DeclarationError for a server configuration or a site that is not there.
    """
    planning = Planning(declared.objects, tenant, now)
    for kind in reversed(KINDS) if prune else ():
        if kind.section in declared.objects.model_fields_set:
            planning.deletions += kind.deletions(planning)
    lines = [
        place.line(key, message)
        for kind in KINDS
        for value, place in declared.of(kind)
        for key, message in kind.missing(value, planning)
    ]
    if lines:
        raise DeclarationError(lines)
    for kind in KINDS:
        for value, _place in declared.of(kind):
            planning.changes += kind.changes(value, planning)
    return [*planning.changes, *planning.deletions]
