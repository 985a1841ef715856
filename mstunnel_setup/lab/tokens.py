"""Tokens of the lab tenant: RS256 JWTs, their key set, and the check that Graph makes of them."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_setup.lab.errors import UNAUTHORIZED, GraphError
from mstunnel_setup.lab.records import ROLE_TEMPLATES, UserRecord
from mstunnel_setup.lab.scopes import Resource, graph_audiences
from mstunnel_setup.lab.urls import Urls

_GRAPH_TOKEN_VERSION: Final = 1
_CLAIMS_NEEDED: Final = ["exp", "nbf", "iat", "iss", "aud", "tid", "appid", "oid"]
_LEEWAY_SECONDS: Final = 60


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenService:
    """Signs and checks the tokens of one tenant. Times are Unix times in seconds."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: bytes, urls: Urls, gateway_version: int) -> None:
        self._key = key
        self._certificate = certificate
        self._urls = urls
        self._gateway_version = gateway_version
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = base64url(hashlib.sha256(public).digest())[:27]

    def key_set(self) -> dict[str, Any]:
        """Return the JSON Web Key Set (RFC 7517) with the one signing key."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self._key_id,
            "x5t": base64url(hashlib.sha1(self._certificate, usedforsecurity=False).digest()),
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self._certificate).decode()],
            "issuer": self._urls.issuer(2),
        }
        return {"keys": [key]}

    def user_token(
        self, user: UserRecord, app_id: str, resource: Resource, scopes: tuple[str, ...], lifetime: int
    ) -> str:
        """Return an access token of a user who signed in to `app_id`."""
        claims = {
            "oid": user.id,
            "sub": _pairwise(user.id, resource.app_id),
            "upn": user.upn,
            "preferred_username": user.upn,
            "name": user.name,
            "scp": " ".join(scopes),
            "wids": [ROLE_TEMPLATES[role] for role in user.roles],
            "idtyp": "user",
        }
        return self._access_token(claims, app_id, resource, lifetime)

    def application_token(
        self, principal_id: str, app_id: str, resource: Resource, roles: tuple[str, ...], lifetime: int
    ) -> str:
        """Return an access token of an application by itself; `principal_id` is its service principal."""
        claims = {"oid": principal_id, "sub": principal_id, "roles": list(roles), "idtyp": "app"}
        return self._access_token(claims, app_id, resource, lifetime)

    def id_token(self, user: UserRecord, app_id: str, lifetime: int) -> str:
        """Return an OpenID Connect id token (always v2)."""
        claims = {
            "aud": app_id,
            "iss": self._urls.issuer(2),
            "oid": user.id,
            "sub": _pairwise(user.id, app_id),
            "preferred_username": user.upn,
            "name": user.name,
            "ver": "2.0",
        }
        return self._sign(claims, lifetime)

    def _access_token(self, claims: Mapping[str, Any], app_id: str, resource: Resource, lifetime: int) -> str:
        version = self._gateway_version if resource.is_gateway else _GRAPH_TOKEN_VERSION
        common = {
            "aud": resource.audience,
            "iss": self._urls.issuer(version),
            "appid": app_id,
            "azp": app_id,
            "ver": f"{version}.0",
        }
        return self._sign({**common, **claims}, lifetime)

    def _sign(self, claims: Mapping[str, Any], lifetime: int) -> str:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        payload = {**claims, **times, "tid": self._urls.tenant_id, "uti": secrets.token_urlsafe(16)}
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def check_graph_token(self, token: str) -> dict[str, Any]:
        """Return the claims of an access token for Graph; raises `GraphError` 401 for any other."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=list(graph_audiences(self._urls)),
                issuer=[self._urls.issuer(version) for version in (1, 2)],
                leeway=_LEEWAY_SECONDS,
                options={"require": _CLAIMS_NEEDED},
            )
        except jwt.PyJWTError as error:
            raise GraphError(UNAUTHORIZED, "InvalidAuthenticationToken", _explain(error)) from error
        return claims


def _explain(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "Lifetime validation failed, the token is expired."
        case jwt.InvalidAudienceError():
            return "Access token validation failure. Invalid audience."
        case jwt.InvalidSignatureError():
            return "Access token validation failure. Invalid signature."
        case _:
            return "CompactToken parsing failed: the access token is not one of this tenant."


def _pairwise(user_id: str, app_id: str) -> str:
    """Return a `sub` that differs per application, as Entra's does."""
    return base64url(hashlib.sha256(f"{user_id}/{app_id}".encode()).digest())
