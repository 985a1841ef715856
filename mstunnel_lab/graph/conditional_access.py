"""Graph below /identity/conditionalAccess: policies of a tenant, and which of them would apply to a sign-in.

The lab evaluates users, groups, guests, applications, platforms, client apps and authentication flows, and
enforces none of it: a sign-in to the lab is refused by `refused_with` of a user only. Parts of bodies are
named after Graph's types, without their prefix conditionalAccess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self, TypeVar, cast

from pydantic import Field, IPvAnyAddress, StrictBool, StrictInt, StrictStr, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.errors import bad_request, directory_not_found
from mstunnel_lab.graph.bodies import Body, BodyPart, Guid, Name, ReferenceBody
from mstunnel_lab.graph.directory import DirectoryEntities
from mstunnel_lab.graph.http import admitted, entity, read_body
from mstunnel_lab.records import ROLE_TEMPLATES, UserRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.tenant.wire import ServicePrincipal, WireModel
from mstunnel_setup.tenant.wire_access import ENABLED, REPORT_ONLY, ConditionalAccessPolicy

_ID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_APPLICATION_WORDS: Final = ("All", "Office365", "MicrosoftAdminPortals", "none", "None")
ApplicationWord = Annotated[StrictStr, Field(pattern=rf"^({_ID}|{'|'.join(_APPLICATION_WORDS)})$")]
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
_GUESTS: Final = {
    *("internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember"),
    *("b2bDirectConnectUser", "otherExternalUser", "serviceProvider"),
}
Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], Field(max_length=1000)]


class _TargetedApplications(BodyPart):
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


class _ExternalTenants(BodyPart):
    """All of them, or some by id."""

    odata_type: Literal[
        "#microsoft.graph.conditionalAccessAllExternalTenants",
        "#microsoft.graph.conditionalAccessEnumeratedExternalTenants",
    ]
    membership_kind: Literal["all", "enumerated"]
    members: Many[Guid] | None = None


class _GuestsOrExternalUsers(BodyPart):
    guest_or_external_user_types: StrictStr
    external_tenants: _ExternalTenants | None = None

    @model_validator(mode="after")
    def _types_are_known(self) -> Self:
        unknown = set(self.guest_or_external_user_types.split(",")) - _GUESTS
        if unknown:
            raise ValueError(f"guestOrExternalUserTypes has {min(unknown)!r}")
        return self


class _Users(BodyPart):
    include_users: Many[UserWord] = ()
    exclude_users: Many[UserWord] = ()
    include_groups: Many[Guid] = ()
    exclude_groups: Many[Guid] = ()
    include_roles: Many[Guid] = ()
    exclude_roles: Many[Guid] = ()
    include_guests_or_external_users: _GuestsOrExternalUsers | None = None
    exclude_guests_or_external_users: _GuestsOrExternalUsers | None = None

    @model_validator(mode="after")
    def _are_a_rule(self) -> Self:
        groups = (*self.include_groups, *self.include_roles)
        if not self.include_users and not groups and self.include_guests_or_external_users is None:
            raise ValueError("a policy needs at least one user rule")
        _alone(self.include_users, {"All", "None"})
        return self


class _Platforms(BodyPart):
    include_platforms: Annotated[Many[Platform], Field(min_length=1)]
    exclude_platforms: Many[Platform] = ()


class _Locations(BodyPart):
    include_locations: Annotated[Many[LocationWord], Field(min_length=1)]
    exclude_locations: Many[LocationWord] = ()


class _Filter(BodyPart):
    """Its rule is not judged here."""

    mode: Literal["include", "exclude"]
    rule: Annotated[StrictStr, Field(min_length=1, max_length=3072)]


class _Devices(BodyPart):
    device_filter: _Filter | None = None


class _AuthenticationFlows(BodyPart):
    transfer_methods: Annotated[
        StrictStr,
        Field(
            pattern=r"^(deviceCodeFlow|authenticationTransfer)(,(deviceCodeFlow|authenticationTransfer))?$"
        ),
    ]


class _ConditionSet(BodyPart):
    applications: _TargetedApplications
    users: _Users
    client_app_types: Annotated[Many[ClientApp], Field(min_length=1)]
    platforms: _Platforms | None = None
    locations: _Locations | None = None
    devices: _Devices | None = None
    sign_in_risk_levels: Many[Risk] = ()
    user_risk_levels: Many[Risk] = ()
    authentication_flows: _AuthenticationFlows | None = None


class _GrantControls(BodyPart):
    operator: Literal["AND", "OR"]
    built_in_controls: Many[Control] = ()
    custom_authentication_factors: Many[StrictStr] = ()
    terms_of_use: Many[Guid] = ()
    authentication_strength: ReferenceBody | None = None

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


class _SignInFrequencySessionControl(BodyPart):
    value: Annotated[StrictInt, Field(ge=1)] | None = None
    type: Literal["days", "hours"] | None = None
    authentication_type: Literal["primaryAndSecondaryAuthentication", "secondaryAuthentication"] | None = None
    frequency_interval: Literal["timeBased", "everyTime"] | None = None
    is_enabled: StrictBool


class _SessionControls(BodyPart):
    sign_in_frequency: _SignInFrequencySessionControl | None = None
    disable_resilience_defaults: StrictBool | None = None


class _PolicyBody(Body, entity=ConditionalAccessPolicy, name="conditionalAccessPolicy"):
    display_name: Name
    state: Literal["enabled", "disabled", "enabledForReportingButNotEnforced"]
    conditions: _ConditionSet
    grant_controls: _GrantControls | None = None
    session_controls: _SessionControls | None = None

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


class _UserSignIn(BodyPart):
    odata_type: Literal["#microsoft.graph.userSignIn"]
    user_id: Guid


class _ApplicationContext(BodyPart):
    odata_type: Literal["#microsoft.graph.applicationContext"]
    include_applications: Annotated[tuple[Guid, ...], Field(min_length=1)]


class _AuthenticationFlow(BodyPart):
    """Of a sign-in."""

    transfer_method: Literal["none", "deviceCodeFlow", "authenticationTransfer"]


class _DeviceInfo(BodyPart):
    is_compliant: StrictBool | None = None
    operating_system: StrictStr | None = None


class _SignInConditions(BodyPart):
    """What is not given is not known."""

    device_platform: Literal["android", "iOS", "windows", "windowsPhone", "macOS", "linux"] | None = None
    client_app_type: ClientApp | None = None
    sign_in_risk_level: Risk | None = None
    user_risk_level: Risk | None = None
    country: Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}$")] | None = None
    ip_address: IPvAnyAddress | None = None
    authentication_flow: _AuthenticationFlow | None = None
    device_info: _DeviceInfo | None = None


class EvaluateBody(Body, entity=WireModel, name="conditionalAccessRoot"):
    """Parameters of evaluate."""

    sign_in_identity: _UserSignIn
    sign_in_context: _ApplicationContext
    sign_in_conditions: _SignInConditions
    applied_policies_only: StrictBool = False


def _alone(given: Sequence[str], single: set[str]) -> None:
    """Refuse a word for all or none that stands beside others."""
    both = single.intersection(given)
    if both and len(given) > 1:
        raise ValueError(f"{min(both)!r} cannot be combined with other entries")


_APPLIES: Final = "notSet"


@dataclass(frozen=True)
class _Policies(DirectoryEntities[ConditionalAccessPolicy]):
    def change(self, lab: Lab, found: ConditionalAccessPolicy, document: object) -> ConditionalAccessPolicy:
        """Change a policy; what is not sent stays, inside of conditions and controls too."""
        if isinstance(document, dict):
            stored = found.document()
            document = {name: _merged(stored.get(name), value) for name, value in document.items()}
        return super().change(lab, found, document)

    def state(self, lab: Lab, body: Body, known: JsonObject) -> ConditionalAccessPolicy:
        """Note when a policy was created or changed; raises `GraphError` 400 for an unknown application."""
        applications = cast("_PolicyBody", body).conditions.applications
        for name in (*applications.include_applications, *applications.exclude_applications):
            if name not in _APPLICATION_WORDS and lab.store.with_app_id(ServicePrincipal, name) is None:
                message = f"1008: Application '{name}' was not found in the tenant."
                raise bad_request(message)
        now = datetime.now(UTC).isoformat()
        facts: JsonObject = (
            {"modifiedDateTime": now}
            if "createdDateTime" in known
            else {"createdDateTime": now, "modifiedDateTime": None}
        )
        return ConditionalAccessPolicy.from_wire(known | body.document() | facts)


def _merged(stored: JsonValue, change: JsonValue) -> JsonValue:
    if not isinstance(stored, dict) or not isinstance(change, dict):
        return change
    return stored | {name: _merged(stored.get(name), value) for name, value in change.items()}


def _reason(policy: ConditionalAccessPolicy, user: UserRecord, body: EvaluateBody) -> str:
    """Return why a policy does not apply, or `notSet`."""
    if policy.state not in {ENABLED, REPORT_ONLY}:
        return "policyNotEnabled"
    stored = policy.conditions.document()
    conditions = _ConditionSet.model_validate(
        {name: value for name, value in stored.items() if value is not None}
    )
    users = conditions.users
    inside = users.include_users, users.include_groups, users.include_roles
    outside = users.exclude_users, users.exclude_groups, users.exclude_roles
    if not _names_user(user, *inside, guests=users.include_guests_or_external_users is not None):
        return "users"
    if _names_user(user, *outside, guests=users.exclude_guests_or_external_users is not None):
        return "users"
    applications, wanted = conditions.applications, body.sign_in_context.include_applications
    included = {"All", *wanted}.intersection(applications.include_applications)
    if not included or set(wanted) & set(applications.exclude_applications):
        return "application"
    return _condition(conditions, body.sign_in_conditions)


def _names_user(
    user: UserRecord, words: Sequence[str], groups: Sequence[str], roles: Sequence[str], *, guests: bool
) -> bool:
    """Whether a user is named by id or word, as member of a group or holder of a role, or as a guest."""
    by_word = user.id in words or "All" in words or (user.guest and "GuestsOrExternalUsers" in words)
    member = any(group in user.groups for group in groups)
    holder = any(ROLE_TEMPLATES[name] in roles for name in user.roles)
    return by_word or member or holder or (guests and user.guest)


def _condition(conditions: _ConditionSet, sign_in: _SignInConditions) -> str:
    """Return the first condition that does not fit, or is not known."""
    if conditions.platforms is not None:
        if sign_in.device_platform is None:
            return "notEnoughInformation"
        included = {sign_in.device_platform, "all"}.intersection(conditions.platforms.include_platforms)
        if not included or sign_in.device_platform in conditions.platforms.exclude_platforms:
            return "devicePlatform"
    if not {sign_in.client_app_type, "all"}.intersection(conditions.client_app_types):
        return "clientApps" if sign_in.client_app_type else "notEnoughInformation"
    if conditions.authentication_flows is not None:
        methods = conditions.authentication_flows.transfer_methods.split(",")
        used = sign_in.authentication_flow
        if used is None or used.transfer_method not in methods:
            return "authenticationFlow" if used else "notEnoughInformation"
    return "notEnoughInformation" if conditions.locations or conditions.devices else _APPLIES


async def evaluate(request: Request) -> Response:
    """Return what the evaluation of a sign-in says of each policy, or those that would apply."""
    lab, _ = admitted(request, permissions.may_evaluate_policies)
    body = await read_body(request, EvaluateBody)
    user = lab.store.get(UserRecord, body.sign_in_identity.user_id)
    if user is None:
        raise directory_not_found(body.sign_in_identity.user_id)
    found: list[JsonValue] = []
    for policy in lab.store.each(ConditionalAccessPolicy):
        reason = _reason(policy, user, body)
        if reason == _APPLIES or not body.applied_policies_only:
            found.append(policy.document() | {"policyApplies": reason == _APPLIES, "analysisReasons": reason})
    return entity(request, {"value": found}, "Collection(microsoft.graph.whatIfAnalysisResult)")


POLICIES: Final = _Policies(
    "policies",
    ConditionalAccessPolicy,
    (_PolicyBody,),
    "identity/conditionalAccess",
    filterable=("state",),
    may_read=permissions.may_read_policies,
    may_write=permissions.may_write_policies,
)
ROUTES = [*POLICIES.routes, Route("/evaluate", evaluate, methods=["POST"])]
