"""`oidc.json`: how ocserv judges the access tokens that devices present.

Source: docs/reference (gateway authentication) and ocserv's OpenID Connect module: every required claim is
compared for equality; a token without `exp`, `nbf` and `iat` is refused.
"""

from typing import Final

from mstunnel_setup.engine.values import JsonObject, JsonValue

_KEY_REFRESH_SECONDS: Final = 900


def issuer_v1(tenant_id: str) -> str:
    """The issuer in version 1.0 tokens of the Microsoft clouds."""
    return f"https://sts.windows.net/{tenant_id}/"


def issuer_v2(authority: str, tenant_id: str) -> str:
    """The issuer in version 2.0 tokens. `authority` is the sign-in host's URL without the tenant."""
    return f"{authority.rstrip('/')}/{tenant_id}/v2.0"


def metadata_url(authority: str, tenant_id: str) -> str:
    """The OpenID document of the tenant. It names the keys of tokens of both versions."""
    return f"{issuer_v2(authority, tenant_id)}/.well-known/openid-configuration"


def default_issuer(cloud: str, authority: str, tenant_id: str) -> str:
    """The issuer to expect unless it is set: version 1.0 in Microsoft's clouds, 2.0 in a custom one."""
    return issuer_v2(authority, tenant_id) if cloud == "custom" else issuer_v1(tenant_id)


def oidc_config(metadata: str, tenant_id: str | None, audience: str, issuer: str) -> JsonObject:
    """The object of `oidc.json`. Without `tenant_id` the issuer alone stands for the tenant.

    The user of a session is the object id, as in `mst-cli server show user`.
    """
    claims: dict[str, JsonValue] = {"aud": audience, "iss": issuer}
    if tenant_id:
        claims["tid"] = tenant_id
    return {
        "openid_configuration_url": metadata,
        "user_name_claim": "oid",
        "required_claims": claims,
        "minimum_jwk_refresh_time": _KEY_REFRESH_SECONDS,
    }
