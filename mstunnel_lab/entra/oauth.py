"""Entra's endpoints: OpenID discovery, key set, device code, token."""

import uuid
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mstunnel_lab.entra import device_sign_in
from mstunnel_lab.entra.grants import Form, parameter, public_client_of, token_answer
from mstunnel_lab.entra.permissions import parse_scope
from mstunnel_lab.errors import OAuthError
from mstunnel_lab.state import Lab, labs_of
from mstunnel_lab.urls import TENANT_ALIASES
from mstunnel_setup.base.values import JsonObject

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def oauth_error(request: Request, error: Exception) -> JSONResponse:
    """Render an `OAuthError` in Entra's shape."""
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


def _lab(request: Request) -> Lab:
    """Return the lab when the path names its tenant; raises `OAuthError`."""
    tenant = request.path_params["tenant"]
    lab = labs_of(request).named(tenant)
    if lab is None:
        raise OAuthError("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
    return lab


def _document(request: Request, version: int) -> JsonObject:
    """Return OpenID discovery; under an alias of all tenants the addresses keep it, as Entra's do."""
    lab, name = _lab(request), request.path_params["tenant"]
    alias = name if name in TENANT_ALIASES else ""
    authority = f"{lab.urls.base}/{alias}" if alias else lab.urls.authority
    issuer = lab.urls.issuer(version)
    return {
        "issuer": issuer.replace(lab.tenant.id, "{tenantid}") if alias else issuer,
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "preferred_username", "name"],
    }


async def discovery(request: Request) -> JSONResponse:
    """OpenID discovery with the v2 issuer."""
    return JSONResponse(_document(request, 2))


async def discovery_v1(request: Request) -> JSONResponse:
    """OpenID discovery with the v1 issuer."""
    return JSONResponse(_document(request, 1))


async def keys(request: Request) -> JSONResponse:
    """The key set that signs tokens."""
    return JSONResponse(_lab(request).tokens.key_set())


async def device_code(request: Request) -> JSONResponse:
    """Begin a device sign-in."""
    lab, form = _lab(request), await _form(request)
    client = public_client_of(lab, form)
    scope = parameter(form, "scope")
    parse_scope(scope, lab.urls)
    any_tenant = request.path_params["tenant"] in TENANT_ALIASES
    return JSONResponse(
        device_sign_in.start(lab, client.app_id, scope, any_tenant=any_tenant), headers=_NO_STORE
    )


async def token(request: Request) -> JSONResponse:
    """Give out tokens."""
    lab, form = _lab(request), await _form(request)
    return JSONResponse(token_answer(lab, form, labs_of(request)), headers=_NO_STORE)


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
    Route("/{tenant}/.well-known/openid-configuration", discovery_v1),
    Route("/{tenant}/discovery/v2.0/keys", keys),
    Route("/{tenant}/oauth2/v2.0/devicecode", device_code, methods=["POST"]),
    Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
]
