"""Between declared policies and those of Graph."""

from collections.abc import Mapping
from typing import Final

from mst_admin.access.objects import Pattern, PolicyObject
from mst_admin.change import Body, Wire
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import (
    DISABLED,
    ENABLED,
    REPORT_ONLY,
    ConditionalAccessPolicy,
)

STATES: Final[Mapping[str, str]] = {"report-only": REPORT_ONLY, "enabled": ENABLED, "disabled": DISABLED}
PARTS: Final = ("conditions", "grantControls", "sessionControls")
"""What a policy consists of beside its name and its state."""

_PHONES: Final = ["android", "iOS"]
_ALL_GUESTS: Final = {
    "guestOrExternalUserTypes": "internalGuest,b2bCollaborationGuest,b2bCollaborationMember,"
    "b2bDirectConnectUser,otherExternalUser,serviceProvider",
    "externalTenants": {
        "@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants",
        "membershipKind": "all",
    },
}
_JOINED: Final = frozenset({"guestOrExternalUserTypes", "transferMethods"})
"""Properties that are several words in one text, with commas between them."""
_CONTROLS: Final = {
    Pattern.COMPLIANT_DEVICES: "compliantDevice",
    Pattern.APP_PROTECTION: "compliantApplication",
}


def policy_body(declared: PolicyObject, break_glass_group: str) -> Body:
    """The policy that Graph takes, without its state."""
    conditions: Body = {
        "applications": {"includeApplications": [GATEWAY_APP_ID]},
        "users": _users(declared, break_glass_group),
        "clientAppTypes": ["all"],
    }
    if declared.pattern in _CONTROLS:
        conditions["platforms"] = {"includePlatforms": _PHONES}
    if declared.pattern is Pattern.BLOCK_OTHER_PLATFORMS:
        conditions["platforms"] = {"includePlatforms": ["all"], "excludePlatforms": _PHONES}
    control = _CONTROLS.get(declared.pattern, "block")
    return {
        "displayName": declared.title,
        "conditions": conditions,
        "grantControls": {"operator": "OR", "builtInControls": [control]},
        "sessionControls": None,
    }


def _users(declared: PolicyObject, break_glass_group: str) -> Body:
    excluded = {break_glass_group, *declared.exclude_groups, *declared.allowed_groups}
    users: Body = {"excludeGroups": sorted(excluded)}
    if declared.pattern is Pattern.BLOCK_GUESTS:
        return {**users, "includeGuestsOrExternalUsers": _ALL_GUESTS}
    if declared.groups:
        return {**users, "includeGroups": [*declared.groups]}
    return {**users, "includeUsers": ["All"]}


def flat(document: Wire, prefix: str = "") -> Body:
    """The values of a policy by their paths, such as `conditions.users.excludeGroups`.

    Empty ones and annotations are left out; words are sorted, because Graph may keep them in another order.
    """
    found: Body = {}
    for name, value in document.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}.")
        elif name in _JOINED and isinstance(value, str):
            found[path] = sorted(value.split(","))
        elif isinstance(value, list | tuple):
            found |= {path: sorted(map(str, value))} if value else {}
        elif value is not None and "@" not in name:
            found[path] = value
    return found


def flat_present(policy: ConditionalAccessPolicy) -> Body:
    """The same of a policy of the tenant, as far as a file can declare it."""
    document = policy.document()
    return flat({name: document[name] for name in ("displayName", *PARTS) if document.get(name) is not None})


def replacing(declared: Wire, present: ConditionalAccessPolicy) -> Body:
    """The parts of a declared policy to send; what only the tenant has is emptied, or Graph would keep it."""
    document = present.document()
    return {name: _emptied(document.get(name), declared[name]) for name in PARTS}


def _emptied(present: object, declared: object) -> object:
    if not isinstance(declared, Mapping) or not isinstance(present, Mapping):
        return declared
    gone: Body = {
        name: [] if isinstance(value, list) else None
        for name, value in present.items()
        if value and name not in declared and "@" not in name
    }
    return {**gone, **{name: _emptied(present.get(name), value) for name, value in declared.items()}}
