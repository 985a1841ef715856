"""Wire models of Conditional Access (docs/reference/mst-admin.md)."""

from typing import Final

from pydantic import Field

from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import Moment, StringList, WireModel

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
REPORT_ONLY: Final = "enabledForReportingButNotEnforced"


class PolicyApplications(WireModel):
    """conditionalAccessApplications: the resources that a policy is for."""

    include_applications: StringList = ()
    exclude_applications: StringList = ()


class PolicyUsers(WireModel):
    """conditionalAccessUsers: whom a policy is for."""

    include_users: StringList = ()
    exclude_users: StringList = ()
    include_groups: StringList = ()
    exclude_groups: StringList = ()
    include_roles: StringList = ()
    exclude_roles: StringList = ()


class PolicyPlatforms(WireModel):
    """conditionalAccessPlatforms."""

    include_platforms: StringList = ()
    exclude_platforms: StringList = ()


class PolicyFlows(WireModel):
    """conditionalAccessAuthenticationFlows: names with commas between them."""

    transfer_methods: str | None = None


class PolicyConditions(WireModel):
    """conditionalAccessConditionSet; conditions of other kinds are kept."""

    applications: PolicyApplications = PolicyApplications()
    users: PolicyUsers = PolicyUsers()
    platforms: PolicyPlatforms | None = None
    client_app_types: StringList = ()
    authentication_flows: PolicyFlows | None = None


class PolicyGrant(WireModel):
    """conditionalAccessGrantControls."""

    operator: str | None = None
    built_in_controls: StringList = ()
    terms_of_use: StringList = ()
    authentication_strength: JsonObject | None = None


class PolicyFrequency(WireModel):
    """signInFrequencySessionControl."""

    is_enabled: bool | None = None


class PolicySession(WireModel):
    """conditionalAccessSessionControls; controls of other kinds are kept."""

    sign_in_frequency: PolicyFrequency | None = None


class ConditionalAccessPolicy(WireModel):
    """conditionalAccessPolicy: who gets a token of which resource under which conditions."""

    id: str = ""
    template_id: str | None = None
    display_name: str = ""
    created_date_time: Moment | None = None
    modified_date_time: Moment | None = None
    state: str = DISABLED
    conditions: PolicyConditions = Field(default_factory=PolicyConditions)
    grant_controls: PolicyGrant | None = None
    session_controls: PolicySession | None = None


class WhatIfResult(ConditionalAccessPolicy):
    """whatIfAnalysisResult: a policy, and whether it would apply to the sign-in that was described."""

    policy_applies: bool | None = None
    analysis_reasons: str | None = None
