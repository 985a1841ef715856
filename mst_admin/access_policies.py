"""Conditional Access policies: as they are written in YAML, by patterns, as Graph has them, and planned.

A policy is created in report-only mode. It is enabled only when its file says `state: enabled`, the command
was given `--enable`, and the tenant has the same policy in report-only mode. Whatever is written excludes the
break-glass group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mst_admin.change import Body, TenantChange, Wire
from mst_admin.errors import NAME_AMBIGUOUS
from mstunnel_setup.answers.values import Guid, Line, Part
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import DISABLED, ENABLED, REPORT_ONLY, ConditionalAccessPolicy


class Pattern(StrEnum):
    """What a policy is for."""

    ALLOW_GROUPS = "allow-groups"
    COMPLIANT_DEVICES = "compliant-devices"
    BLOCK_OTHER_PLATFORMS = "block-other-platforms"
    BLOCK_GUESTS = "block-guests"
    APP_PROTECTION = "app-protection"


TITLES: Final = {
    Pattern.ALLOW_GROUPS: text("Microsoft Tunnel: block all but some groups"),
    Pattern.COMPLIANT_DEVICES: text("Microsoft Tunnel: compliant devices only"),
    Pattern.BLOCK_OTHER_PLATFORMS: text("Microsoft Tunnel: Android and iOS only"),
    Pattern.BLOCK_GUESTS: text("Microsoft Tunnel: no guests"),
    Pattern.APP_PROTECTION: text("Microsoft Tunnel: app protection required"),
}
"""The name of a policy that is given none."""


class PolicyObject(Part):
    """One policy. It is for the cloud app Microsoft Tunnel Gateway alone."""

    pattern: Pattern = Field(description="What the policy is for")
    name: Line | None = Field(default=None, description="Name; by default one that says the pattern")
    state: Literal["report-only", "enabled", "disabled"] = Field(
        default="report-only", description="enabled takes effect with `apply --enable` only"
    )
    allowed_groups: tuple[Guid, ...] = Field(default=(), description="allow-groups: ids of groups")
    groups: tuple[Guid, ...] = Field(default=(), description="Ids of groups it is for; none: all users")
    exclude_groups: tuple[Guid, ...] = Field(default=(), description="Ids of further excluded groups")

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or TITLES[self.pattern]

    @model_validator(mode="after")
    def _groups_fit_the_pattern(self) -> Self:
        if (self.pattern is Pattern.ALLOW_GROUPS) != bool(self.allowed_groups):
            raise ValueError("must have `allowed_groups` with `pattern: allow-groups`, and only there")
        if self.groups and self.pattern in {Pattern.ALLOW_GROUPS, Pattern.BLOCK_GUESTS}:
            raise ValueError(f"cannot have `groups` with `pattern: {self.pattern}`: remove them")
        return self


class PolicyFile(Part):
    """The policies of one file. The group for emergency access is excluded from every one of them."""

    version: Literal[1] = Field(description="Version of this format")
    break_glass_group: Guid = Field(description="Id of the group with the emergency access accounts")
    policies: tuple[PolicyObject, ...] = Field(description="Policies")

    @field_validator("policies")
    @classmethod
    def _leave_a_way_in(
        cls, policies: tuple[PolicyObject, ...], found: ValidationInfo
    ) -> tuple[PolicyObject, ...]:
        if not policies:
            raise ValueError("must have at least one policy: add one")
        if any(found.data.get("break_glass_group") in policy.groups for policy in policies):
            raise ValueError("cannot name the break-glass group in `groups`: remove it there")
        titles = {policy.title.casefold() for policy in policies}
        if len(titles) < len(policies):
            raise ValueError("must each have a name of their own: add `name`")
        return policies


STATES: Final[Mapping[str, str]] = {"report-only": REPORT_ONLY, "enabled": ENABLED, "disabled": DISABLED}
_PARTS: Final = ("conditions", "grantControls", "sessionControls")
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
_CONTROLS: Final = {
    Pattern.COMPLIANT_DEVICES: "compliantDevice",
    Pattern.APP_PROTECTION: "compliantApplication",
}


def policy_body(declared: PolicyObject, break_glass_group: str) -> Body:
    """The policy that Graph takes, without its state."""
    excluded = {break_glass_group, *declared.exclude_groups, *declared.allowed_groups}
    users: Body = {"excludeGroups": sorted(excluded)}
    if declared.pattern is Pattern.BLOCK_GUESTS:
        users["includeGuestsOrExternalUsers"] = _ALL_GUESTS
    elif declared.groups:
        users["includeGroups"] = [*declared.groups]
    else:
        users["includeUsers"] = ["All"]
    conditions: Body = {
        "applications": {"includeApplications": [GATEWAY_APP_ID]},
        "users": users,
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


def flat(document: Wire, prefix: str = "") -> Body:
    """The values of a policy by their paths, such as `conditions.users.excludeGroups`.

    Empty ones and annotations are left out; words are sorted, because Graph may keep them in another order.
    """
    found: Body = {}
    for name, value in document.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}.")
        elif name in {"guestOrExternalUserTypes", "transferMethods"} and isinstance(value, str):
            # Several words in one text, with commas between them.
            found[path] = sorted(value.split(","))
        elif isinstance(value, list | tuple):
            found |= {path: sorted(map(str, value))} if value else {}
        elif value is not None and "@" not in name:
            found[path] = value
    return found


def _emptied(present: object, declared: object) -> object:
    """A declared part to send; what only the tenant has in it is emptied, or Graph would keep it."""
    if not isinstance(declared, Mapping) or not isinstance(present, Mapping):
        return declared
    gone: Body = {
        name: [] if isinstance(value, list) else None
        for name, value in present.items()
        if value and name not in declared and "@" not in name
    }
    return {**gone, **{name: _emptied(present.get(name), value) for name, value in declared.items()}}


@dataclass(frozen=True)
class PolicyChange(TenantChange):
    """One change."""

    verb: Literal["create", "update"]
    kind: Literal["Conditional Access policy"]


@dataclass(frozen=True)
class PlannedPolicy:
    """One declared policy: the change it takes, what to send for it (if anything), and what it is then."""

    declared: PolicyObject
    change: PolicyChange
    sent: Body
    after: ConditionalAccessPolicy


def plan_policies(
    file: PolicyFile, present: Sequence[ConditionalAccessPolicy], *, enable: bool
) -> Iterator[PlannedPolicy]:
    """Every declared policy. Raises TenantError `name-ambiguous`, `policy-of-others`."""
    for declared in file.policies:
        body = policy_body(declared, file.break_glass_group)
        found = [item for item in present if item.display_name.casefold() == declared.title.casefold()]
        if len(found) > 1:
            ids = ", ".join(item.id for item in found)
            raise NAME_AMBIGUOUS(count=len(found), kind="policy", name=declared.title, ids=ids)
        # One for other resources too is never overwritten.
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
        if found:
            yield _updated(declared, body, found[0], enable=enable)
            continue
        created = {**body, "state": REPORT_ONLY if declared.state == "enabled" else STATES[declared.state]}
        change = PolicyChange("create", "Conditional Access policy", declared.title, after=flat(created))
        yield PlannedPolicy(declared, change, created, ConditionalAccessPolicy.from_wire(created))


def _updated(
    declared: PolicyObject, body: Body, present: ConditionalAccessPolicy, *, enable: bool
) -> PlannedPolicy:
    document = present.document()
    before = flat(
        {name: document[name] for name in ("displayName", *_PARTS) if document.get(name) is not None}
    )
    after, state = flat(body), STATES[declared.state]
    if state == ENABLED and present.state != ENABLED:
        ready = enable and before == after and present.state == REPORT_ONLY
        state = ENABLED if ready else REPORT_ONLY
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    sent: Body = {}
    if names:
        sent = {name: _emptied(document.get(name), body[name]) for name in _PARTS}
        sent["displayName"] = declared.title
    if state != present.state:
        names, sent = ["state", *names], {**sent, "state": state}
    before, after = {**before, "state": present.state}, {**after, "state": state}
    change = PolicyChange(
        "update",
        "Conditional Access policy",
        declared.title,
        present.id,
        {name: before.get(name) for name in names},
        {name: after.get(name) for name in names},
    )
    found = ConditionalAccessPolicy.from_wire({**body, "id": present.id, "state": state})
    return PlannedPolicy(declared, change, sent, found)
