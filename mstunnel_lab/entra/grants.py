"""The token endpoint's grants: who asks, how clients prove themselves (RFC 7523), what they may have."""

import base64
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel

from mstunnel_lab.entra import device_sign_in
from mstunnel_lab.entra.authentication import sign_in
from mstunnel_lab.entra.permissions import DEFAULT, granted_scopes, parse_scope
from mstunnel_lab.entra.tokens import base64url, thumbprints
from mstunnel_lab.errors import MFA_REQUIRED, UNAUTHORIZED, OAuthError, refused
from mstunnel_lab.records import ApplicationRecord, AssertionRecord, RefreshTokenRecord, UserRecord, digest
from mstunnel_lab.state import Lab, Labs
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import AppRoleAssignment, KeyCredential, ServicePrincipal

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS: Final = ("RS256", "PS256")
_LEEWAY_SECONDS: Final = 300
_LONGEST_SECONDS: Final = 600


@dataclass(frozen=True)
class CheckedAssertion:
    """What is left to check against memory: that `jti` was not used before.

    `expires_at` is the Unix time from which on the assertion is refused as expired.
    """

    jti: str
    expires_at: float


class _Claims(BaseModel):
    iss: str
    sub: str
    exp: float
    jti: str


def check_assertion(
    assertion: str, client_id: str, audience: str, credentials: tuple[KeyCredential, ...]
) -> CheckedAssertion:
    """Judge a client assertion against the application's certificates.

    The header's thumbprint (`x5t` SHA-1 or `x5t#S256`) must be that of one certificate; signature, `aud`
    (the token endpoint), `iss` and `sub` (the client id), `exp` (in ten minutes at most) and `jti` must hold.
    Raises `OAuthError`.
    """
    try:
        header: JsonObject = jwt.get_unverified_header(assertion)
    except (jwt.PyJWTError, RecursionError) as error:
        raise _invalid(50027, "JWT token is invalid or malformed.") from error
    if header.get("alg") not in _ALGORITHMS:
        raise _invalid(5002738, f"Invalid JWT token: the algorithm must be one of {', '.join(_ALGORITHMS)}.")
    certificate = _certificate(header, credentials)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise _invalid(700027, "The certificate of the client assertion has no RSA key.")
    claims = _claims(assertion, key, audience)
    if client_id != claims.iss or client_id != claims.sub:
        raise _invalid(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
    end = claims.exp + _LEEWAY_SECONDS
    if end > time.time() + _LONGEST_SECONDS + 2 * _LEEWAY_SECONDS:
        raise _invalid(700024, "Client assertion is not within its valid time range: it ends too late.")
    return CheckedAssertion(claims.jti, end)


def _certificate(header: JsonObject, credentials: tuple[KeyCredential, ...]) -> x509.Certificate:
    # MSAL for Python pads the thumbprints, which RFC 7515 does not; Entra takes both.
    named = {str(header[name]).rstrip("=") for name in ("x5t", "x5t#S256") if header.get(name)}
    if not named:
        raise _invalid(5002730, "Invalid JWT token: the header names no certificate (x5t, x5t#S256).")
    for credential in credentials:
        certificate = base64.b64decode(credential.key or "")
        if named <= set(thumbprints(certificate)):
            return x509.load_der_x509_certificate(certificate)
    raise _invalid(
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    )


def _claims(assertion: str, key: rsa.RSAPublicKey, audience: str) -> _Claims:
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=_ALGORITHMS,
            audience=audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "aud", "iss", "sub", "jti"]},
        )
        return _Claims.model_validate(claims)
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
        raise _refusal(error) from error


def _refusal(error: Exception) -> OAuthError:
    match error:
        case jwt.ExpiredSignatureError() | jwt.ImmatureSignatureError():
            return _invalid(700024, "Client assertion is not within its valid time range.")
        case jwt.InvalidAudienceError():
            return _invalid(700023, "Client assertion audience claim does not match Realm issuer.")
        case jwt.InvalidSignatureError():
            return _invalid(700027, "Client assertion failed signature validation.")
        case _:
            return _invalid(50027, f"JWT token is invalid or malformed: {error}.")


def _invalid(number: int, message: str) -> OAuthError:
    return OAuthError("invalid_client", number, message, UNAUTHORIZED)


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
    code = device_sign_in.redeem(lab, parameter(form, "device_code"), client.app_id)
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
    scope = parameter(form, "scope")
    request = parse_scope(scope, lab.urls)
    if request.names != (DEFAULT,):
        raise OAuthError(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            "value with /.default suffixed to the resource identifier (application ID URI).",
        )
    principal = lab.store.with_app_id(ServicePrincipal, client.app_id)
    if principal is None:
        raise OAuthError(
            "unauthorized_client",
            7000229,
            f"The client application {client.app_id} is missing service principal in the tenant.",
        )
    resource = lab.store.with_app_id(ServicePrincipal, request.resource.app_id)
    roles: tuple[str, ...] = ()
    if resource is not None:
        assigned = lab.store.each(AppRoleAssignment, parent=principal.id)
        identifiers = {item.app_role_id for item in assigned if item.resource_id == resource.id}
        roles = tuple(role.value for role in resource.app_roles if role.id in identifiers and role.value)
    lifetime = lab.tenant.token_lifetime
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": lab.tokens.application_token(
            principal.id, client.app_id, request.resource, roles, lifetime
        ),
    }


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
