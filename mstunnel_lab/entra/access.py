"""Conditional Access policies of a tenant, and which of them would apply to a sign-in.

The lab evaluates users, groups, guests, applications, platforms, client apps and authentication flows, and
enforces none of it: a sign-in to the lab is refused by `refused_with` of a user only.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from mstunnel_lab.errors import BAD_REQUEST, GraphError, directory_not_found
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_access import (
    ApplicationsPart,
    ConditionsPart,
    EvaluateBody,
    PolicyBody,
    SignInPart,
    UsersPart,
)
from mstunnel_lab.records import ROLE_TEMPLATES, UserRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.tenant.wire import ServicePrincipal
from mstunnel_setup.tenant.wire_access import ENABLED, REPORT_ONLY, ConditionalAccessPolicy

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
    stored = found.document()
    changes = {name: _merged(stored.get(name), value) for name, value in _object(document).items()}
    body = _judged(lab, changes, stored)
    facts = {"modifiedDateTime": datetime.now(UTC).isoformat()}
    lab.store.replace(ConditionalAccessPolicy.from_wire(stored | body.document() | facts))


def _object(document: object) -> JsonObject:
    if not isinstance(document, dict):
        raise GraphError(BAD_REQUEST, PolicyBody.code, "The request body must be a JSON object.")
    return document


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


def evaluate(lab: Lab, body: EvaluateBody) -> Iterator[JsonObject]:
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
    if not _names_application(conditions.applications, body.sign_in_context.include_applications):
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


def _names_application(applications: ApplicationsPart, wanted: Sequence[str]) -> bool:
    included = {"All", *wanted}.intersection(applications.include_applications)
    return bool(included) and not set(wanted) & set(applications.exclude_applications)
