"""Client assertions (RFC 7523): a JWT signed with the key of a certificate of the application."""

import base64
import hashlib
import time
from dataclasses import dataclass
from typing import Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel

from mstunnel_lab.entra.keys import base64url
from mstunnel_lab.errors import UNAUTHORIZED, OAuthError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import KeyCredential

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


def thumbprints(certificate: bytes) -> tuple[str, str]:
    """Return `x5t` and `x5t#S256` (base64url) of a certificate in DER."""
    sha1 = hashlib.sha1(certificate, usedforsecurity=False)
    return base64url(sha1.digest()), base64url(hashlib.sha256(certificate).digest())


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
