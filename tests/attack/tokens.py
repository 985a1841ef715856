"""Access tokens as no tenant issues them, signed with the lab's own key where a signature is wanted."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.testbed.installation import LAB, Installation

TEN_YEARS = 10 * 365 * 86400
STRANGER = "0b5e1c6e-30f6-4c5e-9d6f-2f4a4d8f6a10"
_TENANT_OF_GUEST = f"https://sts.windows.net/{STRANGER}/"
_NO_CLAIM = object()


class Forger:
    """An attacker with a valid token of the tenant, and for odd claims with its signing key."""

    def __init__(self, installation: Installation) -> None:
        self.good = installation.token().strip()
        self._claims = jwt.decode(self.good, options={"verify_signature": False})
        self._header = jwt.get_unverified_header(self.good)
        pem = installation.testbed.lab.shell(f"cat {LAB}/token-signing*.key").stdout
        key = serialization.load_pem_private_key(pem.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key

    @property
    def tenant(self) -> str:
        """Id of the tenant."""
        return str(self._claims["tid"])

    @property
    def issuer(self) -> str:
        """Issuer of the good token."""
        return str(self._claims["iss"])

    @staticmethod
    def now() -> int:
        """Unix time in seconds."""
        return int(time.time())

    def token(self, **claims: Any) -> str:
        """The good token with other claims, signed by the tenant; `_NO_CLAIM` leaves one out."""
        return self._signed(self._changed(claims), self._key, "RS256", self._header)

    def with_header(self, *, algorithm: str = "RS256", key: Any = None, **header: Any) -> str:
        """The claims of the good token, with another header, algorithm or key."""
        changed = {**self._header, "alg": algorithm, **header}
        merged = {name: value for name, value in changed.items() if value is not _NO_CLAIM}
        return self._signed(self._claims, key or self._key, algorithm, merged)

    def by_public_key(self) -> str:
        """Signed with HMAC, the secret being the public key, which all can fetch."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        head = ".".join(_part(value) for value in ({**self._header, "alg": "HS256"}, self._claims))
        return f"{head}.{_encoded(hmac.digest(public, head.encode(), hashlib.sha256))}"

    def deep(self, depth: int) -> str:
        """A claim of lists in lists, signed by the tenant."""
        payload = json.dumps(self._claims)[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
        return jwt.api_jws.encode(payload.encode(), self._key, "RS256", self._header)

    def _changed(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**self._claims, **claims}.items() if value is not _NO_CLAIM}

    @staticmethod
    def _signed(claims: Mapping[str, Any], key: Any, algorithm: str, header: Mapping[str, Any]) -> str:
        if algorithm == "none":
            return ".".join((_part({**header, "alg": "none"}), _part(claims), ""))
        return jwt.encode(dict(claims), key, algorithm, dict(header))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _ten_years(forger: Forger) -> str:
    return forger.token(iat=Forger.now() - 10, nbf=Forger.now() - 10, exp=Forger.now() + TEN_YEARS)


REFUSED: Mapping[str, tuple[Callable[[Forger], str], str]] = {
    "app-only: roles, no scp, idtyp app": (
        lambda forger: forger.token(scp=_NO_CLAIM, idtyp="app", roles=["Tunnel_Allow"], xms_idrel="7 18"),
        "idtyp",
    ),
    "app-only without a mark": (
        lambda forger: forger.token(
            scp=_NO_CLAIM, idtyp=_NO_CLAIM, xms_idrel=_NO_CLAIM, acct=_NO_CLAIM, roles=["Tunnel_Allow"]
        ),
        "scp",
    ),
    "app-only with an empty scp": (lambda forger: forger.token(scp="", idtyp=_NO_CLAIM), "scp"),
    "app-only with a scp of one slash": (lambda forger: forger.token(scp="/", idtyp=_NO_CLAIM), "scp"),
    "idtyp app with a scp": (lambda forger: forger.token(idtyp="app"), "idtyp"),
    "service principal by xms_idrel": (lambda forger: forger.token(xms_idrel="1 7 18"), "xms_idrel"),
    "account of an agent": (lambda forger: forger.token(xms_sub_fct="9 3 13"), "xms_sub_fct"),
    "guest by acct": (lambda forger: forger.token(acct=1), "acct"),
    "guest by acct as text": (lambda forger: forger.token(acct="1"), "acct"),
    "guest by idp": (lambda forger: forger.token(idp=_TENANT_OF_GUEST), "idp"),
    "guest by idp of a consumer": (lambda forger: forger.token(idp="live.com"), "idp"),
    "guest by xms_idrel": (lambda forger: forger.token(xms_idrel="30 5"), "xms_idrel"),
    "no member by xms_idrel": (lambda forger: forger.token(xms_idrel="11 30"), "xms_idrel"),
    "another scope": (lambda forger: forger.token(scp="User.Read openid"), "scp"),
    "scope as part of a longer one": (
        lambda forger: forger.token(scp="Tunnel_Allow.Read xTunnel_Allow Tunnel_Allow_"),
        "scp",
    ),
    "scope in other letters": (lambda forger: forger.token(scp="tunnel_allow"), "scp"),
    "scope behind a tab": (lambda forger: forger.token(scp="User.Read\tTunnel_Allow"), "scp"),
    "scope in a list": (lambda forger: forger.token(scp=["Tunnel_Allow"]), "scp"),
    "no scp": (lambda forger: forger.token(scp=_NO_CLAIM), "scp"),
    "another tenant": (lambda forger: forger.token(tid=STRANGER), "tid"),
    "no tenant": (lambda forger: forger.token(tid=_NO_CLAIM), "tid"),
    "another audience": (lambda forger: forger.token(aud="https://graph.microsoft.com"), "aud"),
    "two audiences": (lambda forger: forger.token(aud=["3678c9e9-9681-447a-974d-d19f668fcd88", "x"]), "aud"),
    "audience with a slash": (
        lambda forger: forger.token(aud="3678c9e9-9681-447a-974d-d19f668fcd88/"),
        "aud",
    ),
    "another issuer": (
        lambda forger: forger.token(iss=f"https://login.microsoftonline.com/{STRANGER}/v2.0"),
        "iss",
    ),
    "issuer of the other version": (
        lambda forger: forger.token(iss=f"https://sts.windows.net/{forger.tenant}/", ver="1.0"),
        "iss",
    ),
    "valid for ten years": (_ten_years, "more than 108000 seconds"),
    "valid for ten years, of which most are past": (
        lambda forger: forger.token(
            iat=Forger.now() - TEN_YEARS, nbf=Forger.now() - TEN_YEARS, exp=Forger.now() + 60
        ),
        "more than 108000 seconds",
    ),
    "from ten years ago by iat alone": (
        lambda forger: forger.token(iat=Forger.now() - TEN_YEARS),
        "more than 108000 seconds",
    ),
    "issued in the future": (lambda forger: forger.token(iat=Forger.now() + 600), "issued in the future"),
    "times below zero": (lambda forger: forger.token(nbf=-(2**63), iat=-(2**63)), "more than 108000 seconds"),
    "times out of range": (lambda forger: forger.token(exp=2**70), "claims"),
    "times with a fraction": (lambda forger: forger.token(exp=Forger.now() + 60.5), "'exp'"),
    "expired": (lambda forger: forger.token(exp=Forger.now() - 5), "validity period"),
    "not yet valid": (lambda forger: forger.token(nbf=Forger.now() + 60), "validity period"),
    "no exp": (lambda forger: forger.token(exp=_NO_CLAIM), "'exp'"),
    "no iat": (lambda forger: forger.token(iat=_NO_CLAIM), "'iat'"),
    "no nbf": (lambda forger: forger.token(nbf=_NO_CLAIM), "'nbf'"),
    "oid with a line of a log": (
        lambda forger: forger.token(oid=f"{STRANGER}\nocserv[1]: main: INJECTED user logged in"),
        "GUID",
    ),
    "oid with a comma": (lambda forger: forger.token(oid=f"{STRANGER},INJECTED"), "GUID"),
    "oid of words": (lambda forger: forger.token(oid="INJECTED administrator"), "GUID"),
    "oid of a shell command": (lambda forger: forger.token(oid="$(touch /run/INJECTED)"), "GUID"),
    "oid too short": (lambda forger: forger.token(oid=STRANGER[:-1]), "GUID"),
    "oid in braces": (lambda forger: forger.token(oid=f"{{{STRANGER}}}"), "GUID"),
    "oid empty": (lambda forger: forger.token(oid=""), "GUID"),
    "oid of a number": (lambda forger: forger.token(oid=7), "oid"),
    "no oid": (lambda forger: forger.token(oid=_NO_CLAIM), "oid"),
    "not signed (alg none)": (lambda forger: forger.with_header(algorithm="none"), "ocserv-oidc"),
    "HS256 with the public key": (lambda forger: forger.by_public_key(), "not signed with RS256"),
    "RS512 by the right key": (lambda forger: forger.with_header(algorithm="RS512"), "not signed with RS256"),
    "signed with another key": (
        lambda forger: forger.with_header(key=rsa.generate_private_key(65537, 2048)),
        "failed validation",
    ),
    "unknown kid": (lambda forger: forger.with_header(kid="nobody"), "kid=nobody not found"),
    "kid with a line of a log": (lambda forger: forger.with_header(kid="x\nINJECTED"), "no kid"),
    "no kid": (lambda forger: forger.with_header(kid=_NO_CLAIM), "no kid"),
    "kid of 10,000 letters": (lambda forger: forger.with_header(kid="k" * 10_000), "no kid"),
    "typ at+jwt": (lambda forger: forger.with_header(typ="at+jwt"), "typ"),
    "claims in 100,000 lists": (lambda forger: forger.deep(100_000), ""),
    "claims in 3,000 lists": (lambda forger: forger.deep(3000), "claims"),
    "40 KB of claims": (lambda forger: forger.token(padding="x" * 40_000, tid=STRANGER), ""),
    "a megabyte of claims": (lambda forger: forger.token(padding="x" * 1_000_000), ""),
    "three dots": (lambda _forger: "...", "malformed"),
    "no JSON": (lambda _forger: "a.b.c", "malformed"),
    "one letter": (lambda _forger: "x", "malformed"),
}
"""What each attack is called, the token, and a part of the reason that the gateway logs for the refusal."""

ACCEPTED: Mapping[str, Callable[[Forger], str]] = {
    "as issued": lambda forger: forger.good,
    "several scopes": lambda forger: forger.token(scp="openid Tunnel_Allow User.Read"),
    "without optional claims": lambda forger: forger.token(
        idtyp=_NO_CLAIM, acct=_NO_CLAIM, xms_idrel=_NO_CLAIM, idp=_NO_CLAIM
    ),
    "home account by idp": lambda forger: forger.token(idp=forger.issuer),
    "home account by the idp of version 1": lambda forger: forger.token(
        idp=forger.issuer.removesuffix("v2.0")
    ),
    "member with numbers of no known meaning": lambda forger: forger.token(xms_idrel="30 1 15555"),
    "valid for 28 hours": lambda forger: forger.token(exp=Forger.now() + 28 * 3600),
}
"""Tokens of people of this tenant, which let a device in."""
