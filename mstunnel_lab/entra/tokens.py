"""Tokens of the lab tenant: the signing keys, RS256 JWTs, and their check by Graph."""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, ValidationError

from mstunnel_lab.entra.permissions import Resource, graph_audiences
from mstunnel_lab.errors import UNAUTHORIZED, GraphError
from mstunnel_lab.pki import self_signed, signing_key
from mstunnel_lab.records import ROLE_TEMPLATES, UserRecord
from mstunnel_lab.urls import Urls
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.values import JsonObject

_FILE: Final = re.compile(r"token-signing(?:-([0-9]+))?\.key")


def base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprints(certificate: bytes) -> tuple[str, str]:
    """Return `x5t` and `x5t#S256` (base64url) of a certificate in DER."""
    sha1 = hashlib.sha1(certificate, usedforsecurity=False)
    return base64url(sha1.digest()), base64url(hashlib.sha256(certificate).digest())


class SigningKey:
    """The private key at `path`, created if missing, its certificate (DER), and its id in key sets."""

    def __init__(self, path: Path) -> None:
        self.private = signing_key(path)
        self.certificate = self_signed(self.private, "Lab tenant token signing")
        public = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = base64url(hashlib.sha256(public).digest())[:27]

    def to_jwk(self, issuer: str) -> JsonObject:
        """Return the public key as Entra publishes it (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "x5t": thumbprints(self.certificate)[0],
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.certificate).decode()],
            "issuer": issuer,
        }


class KeyRing:
    """All keys in a directory; the newest one signs, the others still verify until they are retired.

    Each key is a separate numbered file, so a rotation is one atomic write.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        found = [(_FILE.fullmatch(path.name), path) for path in directory.iterdir()]
        self._keys = {int(match[1] or 1): SigningKey(path) for match, path in found if match}
        if not self._keys:
            self._keys[1] = SigningKey(self._path(1))

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[max(self._keys)]

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """All keys that verify, the newest first."""
        return tuple(self._keys[number] for number in sorted(self._keys, reverse=True))

    def rotate(self) -> None:
        """Create a new key, which signs from now on."""
        number = max(self._keys) + 1
        self._keys[number] = SigningKey(self._path(number))

    def retire(self) -> None:
        """Remove all keys except the one that signs."""
        for number in sorted(self._keys)[:-1]:
            self._path(number).unlink()
            del self._keys[number]

    def _path(self, number: int) -> Path:
        return self._directory / ("token-signing.key" if number == 1 else f"token-signing-{number}.key")


class TrustedIssuer(NamedTuple):
    """An issuer and its keys by key id."""

    issuer: str
    keys: Mapping[str, jwt.PyJWK]


def read_trusted(issuer: str, path: Path) -> TrustedIssuer:
    """Read the key set (RFC 7517) of an issuer; raises `UsageError`."""
    try:
        found = jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, jwt.PyJWTError) as error:
        raise UsageError(
            "lab-key-set",
            "cannot use the key set {path} of {issuer}: {reason}",
            hint="Use a JSON Web Key Set.",
            path=path,
            issuer=issuer,
            reason=error,
        ) from error
    return TrustedIssuer(issuer, {str(key.key_id): key for key in found.keys})


_GRAPH_TOKEN_VERSION: Final = 1
_LEEWAY_SECONDS: Final = 60
_REMEMBERED: Final = 50_000
# The home tenant of guests.
_HOME_OF_GUESTS: Final = "https://sts.windows.net/2f7c4b1e-0d4e-4a44-9a8e-6d4f6f6c1b77/"


class Claims(BaseModel, frozen=True):
    """The claims of an access token that Graph reads: caller, application, and permissions."""

    oid: str
    appid: str
    exp: float
    idtyp: str = ""
    scp: str = ""
    roles: tuple[str, ...] = ()


class TokenService:
    """Signs and checks the tokens of one tenant. Times are Unix times in seconds.

    `trusted` is another issuer whose tokens Graph accepts too.
    """

    def __init__(
        self, ring: KeyRing, urls: Urls, gateway_version: int, trusted: TrustedIssuer | None = None
    ) -> None:
        self._ring = ring
        self._urls = urls
        self._gateway_version = gateway_version
        self._trusted = trusted
        self._checked: dict[bytes, Claims] = {}

    def key_set(self) -> JsonObject:
        """Return the JSON Web Key Set (RFC 7517), the signing key first."""
        issuer = self._urls.issuer(2)
        return {"keys": [key.to_jwk(issuer) for key in self._ring.keys]}

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
            "acct": 1 if user.guest else 0,
            "xms_idrel": "5 30" if user.guest else "1 30",
        }
        home = {"idp": _HOME_OF_GUESTS, "email": user.upn} if user.guest else {}
        return self._access_token({**claims, **home}, app_id, resource, lifetime, client="0")

    def application_token(
        self, principal_id: str, app_id: str, resource: Resource, roles: tuple[str, ...], lifetime: int
    ) -> str:
        """Return an access token of an application for itself; `principal_id` is its service principal."""
        claims = {"oid": principal_id, "sub": principal_id, "idtyp": "app", "xms_idrel": "7 18"}
        granted = {"roles": list(roles)} if roles else {}
        return self._access_token({**claims, **granted}, app_id, resource, lifetime, client="1")

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

    def _access_token(
        self, claims: Mapping[str, object], app_id: str, resource: Resource, lifetime: int, client: str
    ) -> str:
        """Return a token of the resource's version; `client` is the application's authentication method."""
        version = self._gateway_version if resource.is_gateway else _GRAPH_TOKEN_VERSION
        common = {"iss": self._urls.issuer(version), "ver": f"{version}.0"}
        # In version 1 the audience is the requested one, and the application's claims have other names.
        of_version = (
            {"aud": resource.audience, "appid": app_id, "appidacr": client}
            if version == 1
            else {"aud": resource.app_id, "azp": app_id, "azpacr": client}
        )
        return self._sign({**common, **of_version, **claims}, lifetime)

    def _sign(self, claims: Mapping[str, object], lifetime: int) -> str:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        payload = {**claims, **times, "tid": self._urls.tenant_id, "uti": secrets.token_urlsafe(16)}
        key = self._ring.current
        return jwt.encode(payload, key.private, algorithm="RS256", headers={"kid": key.key_id})

    def check_graph_token(self, token: str) -> Claims:
        """Return the claims of an access token for Graph; raises `GraphError` 401 for any other.

        A valid token is not verified again: thousands of servers send theirs every minute.
        """
        name = hashlib.sha256(token.encode()).digest()
        known = self._checked.get(name)
        if known and known.exp + _LEEWAY_SECONDS > time.time():
            return known
        try:
            key, issuers = self._key(token)
            decoded = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=list(graph_audiences(self._urls)),
                issuer=issuers,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "nbf", "iat", "iss", "aud", "tid", "oid"]},
            )
            claims = Claims.model_validate(decoded)
        except (jwt.PyJWTError, ValidationError, RecursionError) as error:
            match error:
                case jwt.ExpiredSignatureError():
                    reason = "Lifetime validation failed, the token is expired."
                case jwt.InvalidAudienceError():
                    reason = "Access token validation failure. Invalid audience."
                case jwt.InvalidSignatureError():
                    reason = "Access token validation failure. Invalid signature."
                case _:
                    reason = "CompactToken parsing failed: the access token is not one of this tenant."
            raise GraphError(UNAUTHORIZED, "InvalidAuthenticationToken", reason) from error
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked[name] = claims
        return claims

    def forget_checked(self) -> None:
        """Verify every token again, because a key has been retired."""
        self._checked.clear()

    def _key(self, token: str) -> tuple[jwt.PyJWK | rsa.RSAPublicKey, list[str]]:
        """Return the key named in the header and the issuers it signs for; raises `jwt.PyJWTError`."""
        try:
            # jwt would decode the whole token to get its header.
            header = json_value(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
        except ValueError:
            header = None
        key_id = str(header.get("kid")) if isinstance(header, dict) else ""
        if self._trusted and key_id in self._trusted.keys:
            return self._trusted.keys[key_id], [self._trusted.issuer]
        for own in self._ring.keys:
            if own.key_id == key_id:
                return own.private.public_key(), [self._urls.issuer(version) for version in (1, 2)]
        raise jwt.InvalidSignatureError


def _pairwise(user_id: str, app_id: str) -> str:
    """Return a `sub` that differs for each application, as Entra's does."""
    return base64url(hashlib.sha256(f"{user_id}/{app_id}".encode()).digest())
