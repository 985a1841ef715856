"""Entra's endpoints: OpenID discovery, key set, device code, and the token endpoint with its grants.

They authenticate users and clients (RFC 7523), and determine the granted permissions.
"""

import base64
import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mstunnel_lab.entra import sign_in
from mstunnel_lab.entra.permissions import DEFAULT, granted_scopes, parse_scope
from mstunnel_lab.entra.tokens import base64url, thumbprints
from mstunnel_lab.errors import MFA_REQUIRED, UNAUTHORIZED, OAuthError, refused
from mstunnel_lab.records import ApplicationRecord, AssertionRecord, RefreshTokenRecord, UserRecord, digest
from mstunnel_lab.state import Lab, Labs, labs_of
from mstunnel_lab.urls import TENANT_ALIASES
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import AppRoleAssignment, KeyCredential, ServicePrincipal

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS: Final = ("RS256", "PS256")
_LEEWAY_SECONDS: Final = 300
_LONGEST_SECONDS: Final = 600
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Form = Mapping[str, str]


class _Claims(BaseModel):
    iss: str
    sub: str
    exp: float
    jti: str


def check_assertion(
    assertion: str, client_id: str, audience: str, credentials: tuple[KeyCredential, ...]
) -> tuple[str, float]:
    """Check a client assertion against the application's certificates; return its `jti` and its end.

    After that end (Unix time) it is refused as expired; until then, `jti` must not be used again. The
    header's thumbprint (`x5t` SHA-1 or `x5t#S256`) must be that of one certificate; signature, `aud` (the
    token endpoint), `iss` and `sub` (the client id), `exp` (in ten minutes at most) and `jti` must be valid.
    Raises `OAuthError`.
    """
    try:
        header: JsonObject = jwt.get_unverified_header(assertion)
    except (jwt.PyJWTError, RecursionError) as error:
        raise _invalid_client(50027, "JWT token is invalid or malformed.") from error
    if header.get("alg") not in _ALGORITHMS:
        raise _invalid_client(
            5002738, f"Invalid JWT token: the algorithm must be one of {', '.join(_ALGORITHMS)}."
        )
    key = _named_certificate(header, credentials).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise _invalid_client(700027, "The certificate of the client assertion has no RSA key.")
    try:
        decoded = jwt.decode(
            assertion,
            key,
            algorithms=_ALGORITHMS,
            audience=audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "aud", "iss", "sub", "jti"]},
        )
        claims = _Claims.model_validate(decoded)
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise _invalid_client(700024, "Client assertion is not within its valid time range.") from error
    except jwt.InvalidAudienceError as error:
        message = "Client assertion audience claim does not match Realm issuer."
        raise _invalid_client(700023, message) from error
    except jwt.InvalidSignatureError as error:
        raise _invalid_client(700027, "Client assertion failed signature validation.") from error
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
        raise _invalid_client(50027, f"JWT token is invalid or malformed: {error}.") from error
    if client_id != claims.iss or client_id != claims.sub:
        message = "Client assertion application identifier doesn't match 'client_id' parameter."
        raise _invalid_client(700021, message)
    end = claims.exp + _LEEWAY_SECONDS
    if end > time.time() + _LONGEST_SECONDS + 2 * _LEEWAY_SECONDS:
        message = "Client assertion is not within its valid time range: it ends too late."
        raise _invalid_client(700024, message)
    return claims.jti, end


def _named_certificate(header: JsonObject, credentials: tuple[KeyCredential, ...]) -> x509.Certificate:
    # MSAL for Python pads the thumbprints, which RFC 7515 does not; Entra accepts both.
    named = {str(header[name]).rstrip("=") for name in ("x5t", "x5t#S256") if header.get(name)}
    if not named:
        message = "Invalid JWT token: the header names no certificate (x5t, x5t#S256)."
        raise _invalid_client(5002730, message)
    for credential in credentials:
        certificate = base64.b64decode(credential.key or "")
        if named <= set(thumbprints(certificate)):
            return x509.load_der_x509_certificate(certificate)
    raise _invalid_client(
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    )


def _invalid_client(number: int, message: str) -> OAuthError:
    return OAuthError("invalid_client", number, message, UNAUTHORIZED)


def _parameter(form: Form, name: str) -> str:
    """Return a form parameter; raises `OAuthError` if it is missing or empty."""
    value = form.get(name, "")
    if not value:
        message = f"The request body must contain the following parameter: '{name}'."
        raise OAuthError("invalid_request", 900144, message)
    return value


def _client(lab: Lab, form: Form) -> ApplicationRecord:
    """Return the application with `client_id`; raises `OAuthError`."""
    client_id = _parameter(form, "client_id")
    found = lab.store.with_app_id(ApplicationRecord, client_id)
    if found is None:
        raise OAuthError(
            "unauthorized_client",
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{lab.tenant.name}'.",
        )
    return found


def _public_client(lab: Lab, form: Form) -> ApplicationRecord:
    """Return the public client with `client_id`; raises `OAuthError` for a confidential one."""
    client = _client(lab, form)
    if not client.public_client:
        raise _invalid_client(
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    if form.get("client_secret") or form.get("client_assertion"):
        raise _invalid_client(
            700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
        )
    return client


def _device_code(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    client = _public_client(lab, form)
    code = sign_in.redeem(lab, _parameter(form, "device_code"), client.app_id)
    owner = labs.named(code.tenant_id) or lab
    return _user_answer(owner, form, _public_client(owner, form), _user(owner, code.user_id), code.scope)


def _password(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    client = _public_client(lab, form)
    if not client.password_grant:
        raise OAuthError("unauthorized_client", 700016, "The application may not use the password grant.")
    user = sign_in.sign_in(labs, lab, _parameter(form, "username"), _parameter(form, "password"))
    if user is None:
        message = "Error validating credentials due to invalid username or password."
        raise OAuthError("invalid_grant", 50126, message)
    if user.mfa_code:
        raise refused(MFA_REQUIRED)
    return _user_answer(lab, form, client, user, _parameter(form, "scope"))


def _refresh_token(lab: Lab, form: Form, labs: Labs) -> JsonObject:
    token = digest(_parameter(form, "refresh_token"))
    # A sign-in for any tenant continues at the tenant of the signed-in user.
    owner = next((item for item in labs.tenants if item.store.get(RefreshTokenRecord, token)), lab)
    client = _public_client(owner, form)
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
        expires_at = time.time() + 90 * 24 * 3600
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
    client = _client(lab, form)
    if "client_assertion" in form:
        _use_assertion(lab, form, client)
    elif "client_secret" in form:
        _check_secret(form, client)
    else:
        raise _invalid_client(
            7000216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
            "grant type.",
        )
    scope = _parameter(form, "scope")
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
        message = f"The client application {client.app_id} is missing service principal in the tenant."
        raise OAuthError("unauthorized_client", 7000229, message)
    roles: tuple[str, ...] = ()
    if resource := lab.store.with_app_id(ServicePrincipal, request.resource.app_id):
        assigned = lab.store.each(AppRoleAssignment, parent=principal.id)
        identifiers = {item.app_role_id for item in assigned if item.resource_id == resource.id}
        roles = tuple(role.value for role in resource.app_roles if role.id in identifiers and role.value)
    lifetime = lab.tenant.token_lifetime
    token = lab.tokens.application_token(principal.id, client.app_id, request.resource, roles, lifetime)
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": token,
    }


def _check_secret(form: Form, client: ApplicationRecord) -> None:
    secret = digest(form["client_secret"])
    if secret in client.secret_digests:
        return
    key_id = client.secrets.get(secret)
    known = next((item for item in client.password_credentials if item.key_id == key_id), None)
    if known is None:
        raise _invalid_client(7000215, f"Invalid client secret provided for app '{client.app_id}'.")
    if known.end_date_time and known.end_date_time <= datetime.now(UTC):
        message = f"The provided client secret keys for app '{client.app_id}' are expired."
        raise _invalid_client(7000222, message)


def _use_assertion(lab: Lab, form: Form, client: ApplicationRecord) -> None:
    """Check a client assertion, which is valid for one request."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        message = "The request body must contain the parameter: 'client_assertion_type' with the JWT type."
        raise OAuthError("invalid_request", 900144, message)
    text = form["client_assertion"]
    jti, end = check_assertion(text, client.app_id, lab.urls.token_endpoint, client.key_credentials)
    record = AssertionRecord(id=f"{client.app_id}/{digest(jti)}", assertion_digest=digest(text))
    try:
        lab.store.add(record, expires=end)
    except sqlite3.IntegrityError as error:
        message = "The client assertion was used before: each one is valid for one request."
        raise _invalid_client(50027, message) from error


_GRANTS: Final[Mapping[str, Callable[[Lab, Form, Labs], JsonObject]]] = {
    "urn:ietf:params:oauth:grant-type:device_code": _device_code,
    "device_code": _device_code,
    "client_credentials": _client_credentials,
    "refresh_token": _refresh_token,
    "password": _password,
}


def oauth_error(request: Request, error: Exception) -> Response:
    """Render an `OAuthError` in Entra's format."""
    if not isinstance(error, OAuthError):
        raise error
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id") or str(uuid.uuid4())
    text = f"AADSTS{error.number}: {error.message}" if error.number else error.message
    body = {
        "error": error.error,
        "error_description": f"{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
        "error_codes": [error.number] if error.number else [],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return JSONResponse(body, error.status, _NO_STORE)


def _named_lab(request: Request) -> Lab:
    """Return the lab of the tenant in the path; raises `OAuthError`."""
    tenant = request.path_params["tenant"]
    lab = labs_of(request).named(tenant)
    if lab is None:
        raise OAuthError("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
    return lab


async def discovery(request: Request) -> Response:
    """Return the OpenID discovery document of v1 or v2; addresses keep an alias for all tenants."""
    lab, name = _named_lab(request), request.path_params["tenant"]
    issuer = lab.urls.issuer(2 if "/v2.0/" in request.url.path else 1)
    is_alias = name in TENANT_ALIASES
    authority = f"{lab.urls.base}/{name}" if is_alias else lab.urls.authority
    return JSONResponse(
        {
            "issuer": issuer.replace(lab.tenant.id, "{tenantid}") if is_alias else issuer,
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{authority}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "claims_supported": [
                *("sub", "iss", "aud", "exp", "iat", "oid", "tid", "preferred_username", "name"),
            ],
        }
    )


async def keys(request: Request) -> Response:
    """Return the keys that sign tokens."""
    return JSONResponse(_named_lab(request).tokens.key_set())


async def device_code(request: Request) -> Response:
    """Start a device sign-in."""
    lab, form = _named_lab(request), await _form(request)
    client = _public_client(lab, form)
    scope = _parameter(form, "scope")
    parse_scope(scope, lab.urls)
    any_tenant = request.path_params["tenant"] in TENANT_ALIASES
    answer = sign_in.start(lab, client.app_id, scope, any_tenant=any_tenant)
    return JSONResponse(answer, headers=_NO_STORE)


async def token(request: Request) -> Response:
    """Issue tokens for one of the supported grants."""
    lab, form = _named_lab(request), await _form(request)
    grant_type = _parameter(form, "grant_type")
    grant = _GRANTS.get(grant_type)
    if grant is None:
        message = f"The app requested an unsupported grant type '{grant_type}'."
        raise OAuthError("unsupported_grant_type", 70003, message)
    return JSONResponse(grant(lab, form, labs_of(request)), headers=_NO_STORE)


async def _form(request: Request) -> Form:
    """Return the form; a repeated parameter is refused (RFC 6749 section 3.2)."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise OAuthError("invalid_request", 900144, "The request body must be a URL-encoded form.")
    items = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    form = dict(items)
    if len(form) < len(items):
        raise OAuthError("invalid_request", 90013, "Invalid input received: a parameter is repeated.")
    return form


ROUTES = [
    Route("/{tenant}/v2.0/.well-known/openid-configuration", discovery),
    Route("/{tenant}/.well-known/openid-configuration", discovery),
    Route("/{tenant}/discovery/v2.0/keys", keys),
    Route("/{tenant}/oauth2/v2.0/devicecode", device_code, methods=["POST"]),
    Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
]
