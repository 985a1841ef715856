"""Bodies of Conditional Access: policies, and the sign-ins to evaluate them for."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import Field, IPvAnyAddress, StrictBool, StrictInt, StrictStr, model_validator

from mstunnel_lab.graph.bodies import Body, Guid, Name, Part
from mstunnel_setup.tenant.wire import WireModel
from mstunnel_setup.tenant.wire_access import ConditionalAccessPolicy

_ID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ApplicationWord = Annotated[
    StrictStr, Field(pattern=rf"^({_ID}|All|Office365|MicrosoftAdminPortals|none|None)$")
]
UserWord = Annotated[StrictStr, Field(pattern=rf"^({_ID}|All|None|GuestsOrExternalUsers)$")]
LocationWord = Annotated[StrictStr, Field(pattern=rf"^({_ID}|All|AllTrusted)$")]
Platform = Literal["android", "iOS", "windows", "windowsPhone", "macOS", "linux", "all"]
ClientApp = Literal[
    "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"
]
Control = Literal[
    "block",
    "mfa",
    "compliantDevice",
    "domainJoinedDevice",
    "approvedApplication",
    "compliantApplication",
    "passwordChange",
    "riskRemediation",
]
Risk = Literal["low", "medium", "high", "hidden", "none"]
TransferMethod = Literal["none", "deviceCodeFlow", "authenticationTransfer"]
_GUESTS: Final = frozenset(
    {
        "internalGuest",
        "b2bCollaborationGuest",
        "b2bCollaborationMember",
        "b2bDirectConnectUser",
        "otherExternalUser",
        "serviceProvider",
    }
)
Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], Field(max_length=1000)]


class ApplicationsPart(Part):
    """conditionalAccessApplications."""

    include_applications: Many[ApplicationWord] = ()
    exclude_applications: Many[ApplicationWord] = ()
    include_user_actions: Many[Literal["urn:user:registersecurityinfo", "urn:user:registerdevice"]] = ()
    include_authentication_context_class_references: Many[
        Annotated[StrictStr, Field(pattern=r"^c\d{1,2}$")]
    ] = ()
    application_filter: None = None

    @model_validator(mode="after")
    def _are_a_rule(self) -> Self:
        actions = (*self.include_user_actions, *self.include_authentication_context_class_references)
        if not self.include_applications and not actions:
            raise ValueError("a policy needs at least one application rule")
        _alone(self.include_applications, {"All", "none", "None"})
        return self


class TenantsPart(Part):
    """conditionalAccessExternalTenants: all of them, or some by id."""

    odata_type: Annotated[
        Literal[
            "#microsoft.graph.conditionalAccessAllExternalTenants",
            "#microsoft.graph.conditionalAccessEnumeratedExternalTenants",
        ],
        Field(alias="@odata.type"),
    ]
    membership_kind: Literal["all", "enumerated"]
    members: Many[Guid] | None = None


class GuestsPart(Part):
    """conditionalAccessGuestsOrExternalUsers."""

    guest_or_external_user_types: StrictStr
    external_tenants: TenantsPart | None = None

    @model_validator(mode="after")
    def _types_are_known(self) -> Self:
        unknown = set(self.guest_or_external_user_types.split(",")) - _GUESTS
        if unknown:
            raise ValueError(f"guestOrExternalUserTypes has {min(unknown)!r}")
        return self


class UsersPart(Part):
    """conditionalAccessUsers."""

    include_users: Many[UserWord] = ()
    exclude_users: Many[UserWord] = ()
    include_groups: Many[Guid] = ()
    exclude_groups: Many[Guid] = ()
    include_roles: Many[Guid] = ()
    exclude_roles: Many[Guid] = ()
    include_guests_or_external_users: GuestsPart | None = None
    exclude_guests_or_external_users: GuestsPart | None = None

    @model_validator(mode="after")
    def _are_a_rule(self) -> Self:
        groups = (*self.include_groups, *self.include_roles)
        if not self.include_users and not groups and self.include_guests_or_external_users is None:
            raise ValueError("a policy needs at least one user rule")
        _alone(self.include_users, {"All", "None"})
        return self


class PlatformsPart(Part):
    """conditionalAccessPlatforms."""

    include_platforms: Annotated[Many[Platform], Field(min_length=1)]
    exclude_platforms: Many[Platform] = ()


class LocationsPart(Part):
    """conditionalAccessLocations."""

    include_locations: Annotated[Many[LocationWord], Field(min_length=1)]
    exclude_locations: Many[LocationWord] = ()


class FilterPart(Part):
    """conditionalAccessFilter; its rule is not judged here."""

    mode: Literal["include", "exclude"]
    rule: Annotated[StrictStr, Field(min_length=1, max_length=3072)]


class DevicesPart(Part):
    """conditionalAccessDevices."""

    device_filter: FilterPart | None = None


class FlowsPart(Part):
    """conditionalAccessAuthenticationFlows."""

    transfer_methods: Annotated[
        StrictStr,
        Field(
            pattern=r"^(deviceCodeFlow|authenticationTransfer)(,(deviceCodeFlow|authenticationTransfer))?$"
        ),
    ]


class ConditionsPart(Part):
    """conditionalAccessConditionSet."""

    applications: ApplicationsPart
    users: UsersPart
    client_app_types: Annotated[Many[ClientApp], Field(min_length=1)]
    platforms: PlatformsPart | None = None
    locations: LocationsPart | None = None
    devices: DevicesPart | None = None
    sign_in_risk_levels: Many[Risk] = ()
    user_risk_levels: Many[Risk] = ()
    authentication_flows: FlowsPart | None = None


class StrengthPart(Part):
    """A reference to an authentication strength."""

    id: Guid


class GrantPart(Part):
    """conditionalAccessGrantControls."""

    operator: Literal["AND", "OR"]
    built_in_controls: Many[Control] = ()
    custom_authentication_factors: Many[StrictStr] = ()
    terms_of_use: Many[Guid] = ()
    authentication_strength: StrengthPart | None = None

    @property
    def controls(self) -> int:
        """How many controls there are."""
        others = len(self.custom_authentication_factors) + len(self.terms_of_use)
        return len(self.built_in_controls) + others + (self.authentication_strength is not None)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if "block" in self.built_in_controls and self.controls > 1:
            raise ValueError("block cannot be combined with other controls")
        return self


class FrequencyPart(Part):
    """signInFrequencySessionControl."""

    value: Annotated[StrictInt, Field(ge=1)] | None = None
    type: Literal["days", "hours"] | None = None
    authentication_type: Literal["primaryAndSecondaryAuthentication", "secondaryAuthentication"] | None = None
    frequency_interval: Literal["timeBased", "everyTime"] | None = None
    is_enabled: StrictBool


class SessionPart(Part):
    """conditionalAccessSessionControls."""

    sign_in_frequency: FrequencyPart | None = None
    disable_resilience_defaults: StrictBool | None = None


class PolicyBody(Body):
    """conditionalAccessPolicy."""

    entity = ConditionalAccessPolicy
    type_name = "microsoft.graph.conditionalAccessPolicy"

    display_name: Name
    state: Literal["enabled", "disabled", "enabledForReportingButNotEnforced"]
    conditions: ConditionsPart
    grant_controls: GrantPart | None = None
    session_controls: SessionPart | None = None

    @model_validator(mode="after")
    def _controls_something(self) -> Self:
        grant = self.grant_controls
        session = self.session_controls
        if not (grant and grant.controls) and not (session and session.model_fields_set):
            raise ValueError("a policy needs at least one grant or session control")
        everywhere = self.conditions.applications.include_applications == ("All",)
        if grant and "passwordChange" in grant.built_in_controls and not everywhere:
            raise ValueError("passwordChange needs all applications")
        return self


class IdentityPart(Part):
    """userSignIn."""

    odata_type: Annotated[Literal["#microsoft.graph.userSignIn"], Field(alias="@odata.type")]
    user_id: Guid


class ContextPart(Part):
    """applicationContext."""

    odata_type: Annotated[Literal["#microsoft.graph.applicationContext"], Field(alias="@odata.type")]
    include_applications: Annotated[tuple[Guid, ...], Field(min_length=1)]


class FlowPart(Part):
    """authenticationFlow of a sign-in."""

    transfer_method: TransferMethod


class DevicePart(Part):
    """deviceInfo."""

    is_compliant: StrictBool | None = None
    operating_system: StrictStr | None = None


class SignInPart(Part):
    """signInConditions; what is not given is not known."""

    device_platform: Literal["android", "iOS", "windows", "windowsPhone", "macOS", "linux"] | None = None
    client_app_type: ClientApp | None = None
    sign_in_risk_level: Risk | None = None
    user_risk_level: Risk | None = None
    country: Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}$")] | None = None
    ip_address: IPvAnyAddress | None = None
    authentication_flow: FlowPart | None = None
    device_info: DevicePart | None = None


class EvaluateBody(Body):
    """Parameters of evaluate."""

    entity = WireModel
    type_name = "microsoft.graph.conditionalAccessRoot"

    sign_in_identity: IdentityPart
    sign_in_context: ContextPart
    sign_in_conditions: SignInPart
    applied_policies_only: StrictBool = False


def _alone(words: Iterable[str], single: set[str]) -> None:
    """Refuse a word for all or none that stands beside others."""
    given = [*words]
    both = single.intersection(given)
    if both and len(given) > 1:
        raise ValueError(f"{min(both)!r} cannot be combined with other entries")
