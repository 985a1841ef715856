"""Conditional Access policies: as they are written in YAML, by patterns for the tunnel, and in Graph."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mst_admin.change import Body, Wire
from mstunnel_setup.answers.values import Guid, Line, Part
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

_WITHOUT_GROUPS: Final = frozenset({Pattern.ALLOW_GROUPS, Pattern.BLOCK_GUESTS})


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
        if self.groups and self.pattern in _WITHOUT_GROUPS:
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
