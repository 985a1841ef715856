"""Conditional Access policies as they are written in YAML: by patterns for the tunnel."""

from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mstunnel_setup.answers.values import Guid, Line, Part
from mstunnel_setup.base.text import text


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
