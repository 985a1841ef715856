"""The token endpoint's grants: who asks, what may they have."""

import hmac
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from mstunnel_lab.entra import device_flow
from mstunnel_lab.entra.assertion import ASSERTION_TYPE, check_assertion
from mstunnel_lab.entra.keys import base64url
from mstunnel_lab.entra.scopes import DEFAULT, Request, granted_scopes, parse_scope
from mstunnel_lab.errors import ACCOUNT_LOCKED, MFA_REQUIRED, UNAUTHORIZED, OAuthError, refused
from mstunnel_lab.records import ApplicationRecord, AssertionRecord, RefreshTokenRecord, UserRecord, digest
from mstunnel_lab.state import Lab, Labs
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import AppRoleAssignment, ServicePrincipal

Form = Mapping[str, str]
_REFRESH_TOKEN_LIFETIME: Final = 90 * 24 * 3600


def parameter(form: Form, name: str) -> str:
    """Return a form parameter; raises `OAuthError` when it is missing or empty."""
    value = form.get(name, "")
    if not value:
        raise OAuthError(
            "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
        )
    return value


def client_of(lab: Lab, form: Form) -> ApplicationRecord:
    """Return the application that `client_id` names; raises `OAuthError`."""
    client_id = parameter(form, "client_id")
    found = lab.store.with_app_id(ApplicationRecord, client_id)
    if found is None:
        raise OAuthError(
            "unauthorized_client",
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{lab.tenant.name}'.",
        )
    return found


def public_client_of(lab: Lab, form: Form) -> ApplicationRecord:
    """Return the public client that `client_id` names; raises `OAuthError` for a confidential one."""
    client = client_of(lab, form)
    if not client.public_client:
        raise OAuthError(
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            UNAUTHORIZED,
        )
    if form.get("client_secret") or form.get("client_assertion"):
        raise OAuthError(
            "invalid_client",
            700025,
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
            UNAUTHORIZED,
        )
    return client


def sign_in(labs: Labs, lab: Lab, upn: str, password: str) -> UserRecord | None:
    """Return the user with this name and password, or None; raises `OAuthError` 50053 after too many tries.

    Names without an account are counted too, so that no answer tells them from the others.
    """
    user, tries = lab.user(upn), labs.limits.passwords
    name = user.id if user else digest(upn.strip().lower())[:4]
    if tries.exhausted(name):
        raise refused(ACCOUNT_LOCKED)
    expected = user.password if user else secrets.token_urlsafe()
    if not hmac.compare_digest(expected.encode(), password.encode()):
        tries.count(name)
        return None
    tries.forget(name)
    return user


def token_answer(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    """Answer a request to the token endpoint of `lab`, one of `labs`; raises `OAuthError`."""
    grant_type = parameter(form, "grant_type")
    grant = _GRANTS.get(grant_type)
    if grant is None:
        message = f"The app requested an unsupported grant type '{grant_type}'."
        raise OAuthError("unsupported_grant_type", 70003, message)
    return grant(lab, form, labs)


def _device_code(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    client = public_client_of(lab, form)
    code = device_flow.redeem(lab, parameter(form, "device_code"), client.app_id)
    owner = labs.named(code.tenant_id) or lab
    return _user_answer(owner, form, public_client_of(owner, form), _user(owner, code.user_id), code.scope)


def _password(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    client = public_client_of(lab, form)
    if not client.password_grant:
        raise OAuthError("unauthorized_client", 700016, "The application may not use the password grant.")
    user = sign_in(labs, lab, parameter(form, "username"), parameter(form, "password"))
    if user is None:
        message = "Error validating credentials due to invalid username or password."
        raise OAuthError("invalid_grant", 50126, message)
    if user.mfa_code:
        raise refused(MFA_REQUIRED)
    return _user_answer(lab, form, client, user, parameter(form, "scope"))


def _refresh_token(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    token = digest(parameter(form, "refresh_token"))
    # A sign-in for any tenant is continued at the tenant of the user who signed in.
    owner = next((item for item in labs.tenants if item.store.get(RefreshTokenRecord, token)), lab)
    client = public_client_of(owner, form)
    known = owner.store.get(RefreshTokenRecord, token)
    if known is None or known.client_id != client.app_id or known.expires_at <= time.time():
        raise OAuthError("invalid_grant", 70000, "The refresh token is not valid or has expired.")
    scope = form.get("scope") or known.scope
    return _user_answer(owner, form, client, _user(owner, known.user_id), scope)


def _user(lab: Lab, user_id: str) -> UserRecord:
    user = lab.store.get(UserRecord, user_id)
    if user is None:
        raise OAuthError("invalid_grant", 50034, "The user account does not exist in the directory.")
    return user


def _user_answer(lab: Lab, form: Form, client: ApplicationRecord, user: UserRecord, scope: str) -> JsonObject:
    if user.refused_with:
        raise refused(user.refused_with)
    request = parse_scope(scope, lab.urls)
    granted = granted_scopes(client, request)
    lifetime = lab.tenant.token_lifetime
    resource = [f"{request.resource.audience}/{name}" for name in granted]
    answer: JsonObject = {
        "token_type": "Bearer",
        "scope": " ".join([*resource, *sorted(request.openid - {"offline_access"})]),
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": lab.tokens.user_token(user, client.app_id, request.resource, granted, lifetime),
    }
    if "openid" in request.openid:
        answer["id_token"] = lab.tokens.id_token(user, client.app_id, lifetime)
    if "offline_access" in request.openid:
        token = secrets.token_urlsafe(48)
        expires_at = time.time() + _REFRESH_TOKEN_LIFETIME
        record = RefreshTokenRecord(
            id=digest(token), client_id=client.app_id, user_id=user.id, scope=scope, expires_at=expires_at
        )
        lab.store.add(record, parent=user.id, expires=expires_at)
        answer["refresh_token"] = token
    if form.get("client_info"):
        identity = f'{{"uid":"{user.id}","utid":"{lab.urls.tenant_id}"}}'
        answer["client_info"] = base64url(identity.encode())
    return answer


def _client_credentials(lab: Lab, form: Form, _labs: Labs) -> JsonObject:
    client = client_of(lab, form)
    _authenticate(lab, form, client)
    request = _default_scope(lab, form)
    principal = lab.store.with_app_id(ServicePrincipal, client.app_id)
    if principal is None:
        raise OAuthError(
            "unauthorized_client",
            7000229,
            f"The client application {client.app_id} is missing service principal in the tenant.",
        )
    roles = _assigned_roles(lab, principal, request.resource.app_id)
    lifetime = lab.tenant.token_lifetime
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": lab.tokens.application_token(
            principal.id, client.app_id, request.resource, roles, lifetime
        ),
    }


def _assigned_roles(lab: Lab, principal: ServicePrincipal, resource_app_id: str) -> tuple[str, ...]:
    """Return the names of the app roles of a resource that a service principal has."""
    resource = lab.store.with_app_id(ServicePrincipal, resource_app_id)
    if resource is None:
        return ()
    assigned = lab.store.each(AppRoleAssignment, parent=principal.id)
    identifiers = {item.app_role_id for item in assigned if item.resource_id == resource.id}
    return tuple(role.value for role in resource.app_roles if role.id in identifiers and role.value)


def _default_scope(lab: Lab, form: Form) -> Request:
    scope = parameter(form, "scope")
    request = parse_scope(scope, lab.urls)
    if request.names != (DEFAULT,):
        raise OAuthError(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            "value with /.default suffixed to the resource identifier (application ID URI).",
        )
    return request


def _authenticate(lab: Lab, form: Form, client: ApplicationRecord) -> None:
    if "client_assertion" in form:
        _check_assertion(lab, form, client)
    elif "client_secret" in form:
        _check_secret(form, client)
    else:
        raise OAuthError(
            "invalid_client",
            7000216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
            "grant type.",
            UNAUTHORIZED,
        )


def _check_secret(form: Form, client: ApplicationRecord) -> None:
    secret = digest(form["client_secret"])
    if secret in client.secret_digests:
        return
    key_id = client.secrets.get(secret)
    known = next((item for item in client.password_credentials if item.key_id == key_id), None)
    if known is None:
        message = f"Invalid client secret provided for app '{client.app_id}'."
        raise OAuthError("invalid_client", 7000215, message, UNAUTHORIZED)
    if known.end_date_time and known.end_date_time <= datetime.now(UTC):
        message = f"The provided client secret keys for app '{client.app_id}' are expired."
        raise OAuthError("invalid_client", 7000222, message, UNAUTHORIZED)


def _check_assertion(lab: Lab, form: Form, client: ApplicationRecord) -> None:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        message = "The request body must contain the parameter: 'client_assertion_type' with the JWT type."
        raise OAuthError("invalid_request", 900144, message)
    text = form["client_assertion"]
    checked = check_assertion(text, client.app_id, lab.urls.token_endpoint, client.key_credentials)
    record = AssertionRecord(id=f"{client.app_id}/{digest(checked.jti)}", assertion_digest=digest(text))
    try:
        lab.store.add(record, expires=checked.expires_at)
    except sqlite3.IntegrityError as error:
        message = "The client assertion was used before: each one is valid for one request."
        raise OAuthError("invalid_client", 50027, message, UNAUTHORIZED) from error


_GRANTS: Final[Mapping[str, Callable[[Lab, Form, Labs], JsonObject]]] = {
    "urn:ietf:params:oauth:grant-type:device_code": _device_code,
    "device_code": _device_code,
    "client_credentials": _client_credentials,
    "refresh_token": _refresh_token,
    "password": _password,
}
