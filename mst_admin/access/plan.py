"""What makes the tenant's policies as declared, and in which state: report-only comes first.

A policy is enabled only when its file says `state: enabled`, the command was given `--enable`, and the tenant
has the same policy in report-only mode. Whatever is written excludes the break-glass group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mst_admin.access.objects import (
    STATES,
    PolicyFile,
    PolicyObject,
    flat,
    flat_present,
    policy_body,
    replacing,
)
from mst_admin.change import Body, Change
from mst_admin.errors import NAME_AMBIGUOUS
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import ENABLED, REPORT_ONLY, ConditionalAccessPolicy


@dataclass(frozen=True)
class PlannedPolicy:
    """One declared policy: the change it takes, if any, what to send for it, and what it is afterwards.

    `enforced`: the policy is in force after the change; `waits`: the file says enabled, and it will not be.
    """

    declared: PolicyObject
    change: Change | None
    sent: Body
    after: ConditionalAccessPolicy
    enforced: bool = False
    waits: bool = False


def plan_policies(
    file: PolicyFile, present: Sequence[ConditionalAccessPolicy], *, enable: bool
) -> Iterator[PlannedPolicy]:
    """Every declared policy. Raises TenantError `name-ambiguous`, `policy-of-others`."""
    for declared in file.policies:
        body = policy_body(declared, file.break_glass_group)
        found = _present(declared, present)
        yield _created(declared, body) if found is None else _updated(declared, body, found, enable=enable)


def _created(declared: PolicyObject, body: Body) -> PlannedPolicy:
    wanted = STATES[declared.state]
    state = REPORT_ONLY if wanted == ENABLED else wanted
    created = {**body, "state": state}
    change = Change("create", "Conditional Access policy", declared.title, after=flat(created))
    return PlannedPolicy(
        declared, change, created, ConditionalAccessPolicy.from_wire(created), waits=state != wanted
    )


def _updated(
    declared: PolicyObject, body: Body, present: ConditionalAccessPolicy, *, enable: bool
) -> PlannedPolicy:
    before, after = flat_present(present), flat(body)
    state = _next_state(STATES[declared.state], present.state, enable=enable and before == after)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    sent = {**replacing(body, present), "displayName": declared.title} if names else {}
    if state != present.state:
        names, sent = ["state", *names], {**sent, "state": state}
    before, after = {**before, "state": present.state}, {**after, "state": state}
    change = Change(
        "update",
        "Conditional Access policy",
        declared.title,
        present.id,
        {name: after.get(name) for name in names},
        {name: before.get(name) for name in names},
    )
    return PlannedPolicy(
        declared,
        change if names else None,
        sent,
        ConditionalAccessPolicy.from_wire({**body, "id": present.id, "state": state}),
        enforced=bool(names) and state == ENABLED,
        waits=declared.state == "enabled" and state != ENABLED,
    )


def _next_state(wanted: str, present: str, *, enable: bool) -> str:
    """The state to have after this change; `enable` tells whether this policy may be put in force now."""
    if wanted != ENABLED or present == ENABLED:
        return wanted
    return ENABLED if enable and present == REPORT_ONLY else REPORT_ONLY


def _present(
    declared: PolicyObject, policies: Sequence[ConditionalAccessPolicy]
) -> ConditionalAccessPolicy | None:
    """The tenant's policy of that name; one for other resources too is never overwritten."""
    found = [item for item in policies if item.display_name.casefold() == declared.title.casefold()]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="policy", name=declared.title, ids=ids)
    if found and found[0].conditions.applications.include_applications != (GATEWAY_APP_ID,):
        raise TenantError(
            "policy-of-others",
            (
                "the tenant already has a policy called {name}, and it is not for Microsoft Tunnel "
                "Gateway alone"
            ),
            hint="Give the policy another `name`.",
            name=declared.title,
        )
    return found[0] if found else None
