"""Apps compared with the tenant's."""

from collections.abc import Collection, Iterator, Sequence

from mst_admin.change import ASSIGNMENTS, TYPE, Change, differences, update
from mst_admin.errors import NAME_AMBIGUOUS, PROFILE_UNKNOWN
from mst_admin.objects.app import (
    PresentApp,
    StoreAppObject,
    app_body,
    app_object,
    assignment_bodies,
    present_assignments,
    same_assignments,
    wanted_assignments,
)
from mst_admin.objects.parts import without_empty

PACKAGE = "packageId"


def app_changes(declared: StoreAppObject, present: Sequence[PresentApp]) -> Iterator[Change]:
    """What makes the tenant's app as declared; settings of assignments that a file cannot say stay.

    Raises TenantError `name-ambiguous`.
    """
    found = [item for item in present if item.key == declared.key]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="app", name=declared.id, ids=ids)
    if not found:
        own = app_body(declared) if declared.is_ios else {PACKAGE: declared.id}
        body = {**own, ASSIGNMENTS: list(assignment_bodies(declared))}
        yield Change("create", "app", declared.name, after=without_empty(body))
        return
    (there,) = found
    before = {**app_body(app_object(there)), TYPE: there.found.odata_type}
    differs = differences(before, app_body(declared)) if there.has_properties else {}
    assigned, wanted = present_assignments(there), wanted_assignments(declared, there)
    if not same_assignments(assigned, wanted):
        before, differs = {**before, ASSIGNMENTS: assigned}, {**differs, ASSIGNMENTS: wanted}
    yield from update("app", there.name, there.id, before, differs)


def app_deletion(present: PresentApp) -> Change:
    """What deletes an app, and with it its assignments."""
    return Change("delete", "app", present.name, present.id)


def require_profiles(declared: StoreAppObject, names: Collection[str]) -> None:
    """Raise TenantError `profile-unknown` unless each VPN profile that is named is among `names`."""
    known = {name.casefold() for name in names}
    for item in declared.assignments:
        if item.vpn_profile and item.vpn_profile.casefold() not in known:
            raise PROFILE_UNKNOWN(name=item.vpn_profile)
