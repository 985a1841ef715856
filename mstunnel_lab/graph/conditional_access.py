"""Graph below /identity/conditionalAccess: policies of a tenant, and which of them would apply to a sign-in.

The lab evaluates users, groups, guests, applications, platforms, client apps and authentication flows, and
enforces none of it: a sign-in to the lab is refused by `refused_with` of a user only.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import Field, IPvAnyAddress, StrictBool, StrictInt, StrictStr, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.errors import BAD_REQUEST, GraphError, directory_not_found
from mstunnel_lab.graph.bodies import Body, BodyPart, Guid, Name, judge
from mstunnel_lab.graph.http import CREATED, caller_of, collection, entity, one, read_body, read_json
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.records import ROLE_TEMPLATES, UserRecord
from mstunnel_lab.state import Lab, lab_of
from mstunnel_lab.store import Rows
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.tenant.wire import ServicePrincipal, WireModel
from mstunnel_setup.tenant.wire_access import ENABLED, REPORT_ONLY, ConditionalAccessPolicy

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


class ApplicationsPart(BodyPart):
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


class TenantsPart(BodyPart):
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


class GuestsPart(BodyPart):
    """conditionalAccessGuestsOrExternalUsers."""

    guest_or_external_user_types: StrictStr
    external_tenants: TenantsPart | None = None

    @model_validator(mode="after")
    def _types_are_known(self) -> Self:
        unknown = set(self.guest_or_external_user_types.split(",")) - _GUESTS
        if unknown:
            raise ValueError(f"guestOrExternalUserTypes has {min(unknown)!r}")
        return self


class UsersPart(BodyPart):
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


class PlatformsPart(BodyPart):
    """conditionalAccessPlatforms."""

    include_platforms: Annotated[Many[Platform], Field(min_length=1)]
    exclude_platforms: Many[Platform] = ()


class LocationsPart(BodyPart):
    """conditionalAccessLocations."""

    include_locations: Annotated[Many[LocationWord], Field(min_length=1)]
    exclude_locations: Many[LocationWord] = ()


class FilterPart(BodyPart):
    """conditionalAccessFilter; its rule is not judged here."""

    mode: Literal["include", "exclude"]
    rule: Annotated[StrictStr, Field(min_length=1, max_length=3072)]


class DevicesPart(BodyPart):
    """conditionalAccessDevices."""

    device_filter: FilterPart | None = None


class FlowsPart(BodyPart):
    """conditionalAccessAuthenticationFlows."""

    transfer_methods: Annotated[
        StrictStr,
        Field(
            pattern=r"^(deviceCodeFlow|authenticationTransfer)(,(deviceCodeFlow|authenticationTransfer))?$"
        ),
    ]


class ConditionsPart(BodyPart):
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


class StrengthPart(BodyPart):
    """A reference to an authentication strength."""

    id: Guid


class GrantPart(BodyPart):
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


class FrequencyPart(BodyPart):
    """signInFrequencySessionControl."""

    value: Annotated[StrictInt, Field(ge=1)] | None = None
    type: Literal["days", "hours"] | None = None
    authentication_type: Literal["primaryAndSecondaryAuthentication", "secondaryAuthentication"] | None = None
    frequency_interval: Literal["timeBased", "everyTime"] | None = None
    is_enabled: StrictBool


class SessionPart(BodyPart):
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


class IdentityPart(BodyPart):
    """userSignIn."""

    odata_type: Annotated[Literal["#microsoft.graph.userSignIn"], Field(alias="@odata.type")]
    user_id: Guid


class ContextPart(BodyPart):
    """applicationContext."""

    odata_type: Annotated[Literal["#microsoft.graph.applicationContext"], Field(alias="@odata.type")]
    include_applications: Annotated[tuple[Guid, ...], Field(min_length=1)]


class FlowPart(BodyPart):
    """authenticationFlow of a sign-in."""

    transfer_method: TransferMethod


class DevicePart(BodyPart):
    """deviceInfo."""

    is_compliant: StrictBool | None = None
    operating_system: StrictStr | None = None


class SignInPart(BodyPart):
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


_APPLIES: Final = "notSet"
_WORDS: Final = frozenset({"All", "Office365", "MicrosoftAdminPortals", "none", "None"})


def create_policy(lab: Lab, document: object) -> ConditionalAccessPolicy:
    """Make a policy."""
    body = _judged(lab, document)
    now = datetime.now(UTC).isoformat()
    facts = {"id": str(uuid.uuid4()), "createdDateTime": now, "modifiedDateTime": None}
    created = ConditionalAccessPolicy.from_wire(facts | body.document())
    lab.store.add(created)
    return created


def change_policy(lab: Lab, found: ConditionalAccessPolicy, document: object) -> None:
    """Change a policy; what is not sent stays, inside of conditions and controls too."""
    if not isinstance(document, dict):
        raise GraphError(BAD_REQUEST, PolicyBody.code, "The request body must be a JSON object.")
    stored = found.document()
    changes = {name: _merged(stored.get(name), value) for name, value in document.items()}
    body = _judged(lab, changes, stored)
    facts = {"modifiedDateTime": datetime.now(UTC).isoformat()}
    lab.store.replace(ConditionalAccessPolicy.from_wire(stored | body.document() | facts))


def _merged(stored: JsonValue, change: JsonValue) -> JsonValue:
    if not isinstance(stored, dict) or not isinstance(change, dict):
        return change
    return stored | {name: _merged(stored.get(name), value) for name, value in change.items()}


def _judged(lab: Lab, document: object, stored: JsonObject | None = None) -> PolicyBody:
    body = judge(PolicyBody, document, stored)
    applications = body.conditions.applications
    for name in (*applications.include_applications, *applications.exclude_applications):
        if name not in _WORDS and lab.store.with_app_id(ServicePrincipal, name) is None:
            message = f"1008: Application '{name}' was not found in the tenant."
            raise GraphError(BAD_REQUEST, PolicyBody.code, message)
    return body


def evaluations(lab: Lab, body: EvaluateBody) -> Iterator[JsonObject]:
    """Yield the policies with what the evaluation of a sign-in says of each; raises `GraphError` 404."""
    user = lab.store.get(UserRecord, body.sign_in_identity.user_id)
    if user is None:
        raise directory_not_found(body.sign_in_identity.user_id)
    for policy in lab.store.each(ConditionalAccessPolicy):
        reason = _reason(policy, user, body)
        if reason == _APPLIES or not body.applied_policies_only:
            yield policy.document() | {"policyApplies": reason == _APPLIES, "analysisReasons": reason}


def _reason(policy: ConditionalAccessPolicy, user: UserRecord, body: EvaluateBody) -> str:
    """Return why a policy does not apply, or `notSet`."""
    if policy.state not in {ENABLED, REPORT_ONLY}:
        return "policyNotEnabled"
    stored = policy.conditions.document()
    conditions = ConditionsPart.model_validate(
        {name: value for name, value in stored.items() if value is not None}
    )
    if not _names_user(conditions.users, user):
        return "users"
    applications, wanted = conditions.applications, body.sign_in_context.include_applications
    included = {"All", *wanted}.intersection(applications.include_applications)
    if not included or set(wanted) & set(applications.exclude_applications):
        return "application"
    return _condition(conditions, body.sign_in_conditions)


def _condition(conditions: ConditionsPart, sign_in: SignInPart) -> str:
    """Return the first condition that does not fit, or is not known."""
    if conditions.platforms is not None:
        if sign_in.device_platform is None:
            return "notEnoughInformation"
        included = {sign_in.device_platform, "all"}.intersection(conditions.platforms.include_platforms)
        if not included or sign_in.device_platform in conditions.platforms.exclude_platforms:
            return "devicePlatform"
    if (
        "all" not in conditions.client_app_types
        and sign_in.client_app_type not in conditions.client_app_types
    ):
        return "clientApps" if sign_in.client_app_type else "notEnoughInformation"
    if conditions.authentication_flows is not None:
        methods = conditions.authentication_flows.transfer_methods.split(",")
        used = sign_in.authentication_flow
        if used is None or used.transfer_method not in methods:
            return "authenticationFlow" if used else "notEnoughInformation"
    if conditions.locations or conditions.devices:
        return "notEnoughInformation"
    return _APPLIES


def _names_user(users: UsersPart, user: UserRecord) -> bool:
    roles = {ROLE_TEMPLATES[name] for name in user.roles}

    def named(words: Sequence[str], groups: Sequence[str], role_ids: Sequence[str], guests: bool) -> bool:
        by_word = user.id in words or "All" in words or (user.guest and "GuestsOrExternalUsers" in words)
        return bool(
            by_word or set(groups) & set(user.groups) or set(role_ids) & roles or (guests and user.guest)
        )

    included = named(
        users.include_users,
        users.include_groups,
        users.include_roles,
        users.include_guests_or_external_users is not None,
    )
    excluded = named(
        users.exclude_users,
        users.exclude_groups,
        users.exclude_roles,
        users.exclude_guests_or_external_users is not None,
    )
    return included and not excluded


_CONTEXT: Final = "identity/conditionalAccess/policies"
_POLICY: Final = entity_type(
    "microsoft.graph.conditionalAccessPolicy", ConditionalAccessPolicy, filterable=("state",)
)


async def policies(request: Request) -> Response:
    """List or create policies."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_write_policies(caller)
        created = create_policy(lab, await read_json(request))
        return entity(request, created.document(), f"{_CONTEXT}/$entity", CREATED)
    permissions.may_read_policies(caller)
    found = Rows(lab.store, ConditionalAccessPolicy)
    return collection(request, found, ConditionalAccessPolicy.document, _POLICY, _CONTEXT)


async def policy(request: Request) -> Response:
    """Read, change or delete one policy."""
    lab, caller = lab_of(request), caller_of(request)
    allowed = permissions.may_read_policies if request.method == "GET" else permissions.may_write_policies
    allowed(caller)
    found = lab.store.get(ConditionalAccessPolicy, request.path_params["id"])
    if found is None:
        raise directory_not_found(request.path_params["id"])
    if request.method == "GET":
        return one(request, found.document(), _POLICY, f"{_CONTEXT}/$entity")
    if request.method == "DELETE":
        lab.store.remove(ConditionalAccessPolicy, found.id)
    else:
        change_policy(lab, found, await read_json(request))
    return Response(status_code=204)


async def evaluate(request: Request) -> Response:
    """Return which policies would apply to a sign-in."""
    permissions.may_evaluate_policies(caller_of(request))
    found = evaluations(lab_of(request), await read_body(request, EvaluateBody))
    return entity(request, {"value": [*found]}, "Collection(microsoft.graph.whatIfAnalysisResult)")


ROUTES = [
    Route("/identity/conditionalAccess/policies", policies, methods=["GET", "POST"]),
    Route("/identity/conditionalAccess/policies/{id}", policy, methods=["GET", "PATCH", "DELETE"]),
    Route("/identity/conditionalAccess/evaluate", evaluate, methods=["POST"]),
]
