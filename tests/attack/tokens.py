"""Access tokens as no tenant issues them, signed with the lab's own key where a signature is wanted.

The real gateway judges them in tests/attack, `mst-cli explain` in tests/unit/operations/explain.
"""

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
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
STRANGER = "0b5e1c6e-30f6-4c5e-9d6f-2f4a4d8f6a10"
_TENANT_OF_GUEST = f"https://sts.windows.net/{STRANGER}/"
NO_CLAIM = object()
"""Leaves a claim out."""


class Forger:
    """An attacker with a valid token of the tenant, and for odd claims with its signing key."""

    def __init__(self, good: str, key: rsa.RSAPrivateKey) -> None:
        self.good = good
        self._claims = jwt.decode(self.good, options={"verify_signature": False})
        self._header = jwt.get_unverified_header(self.good)
        self._key = key

    @staticmethod
    def of(installation: Installation) -> "Forger":
        """The attacker on the tenant of an installation."""
        pem = installation.testbed.lab.shell(f"cat {LAB}/token-signing*.key").stdout
        key = serialization.load_pem_private_key(pem.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return Forger(installation.token().strip(), key)

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
        """The good token with other claims, signed by the tenant; `NO_CLAIM` leaves one out."""
        return self._signed(self._changed(claims), self._key, "RS256", self._header)

    def with_header(self, *, algorithm: str = "RS256", key: Any = None, **header: Any) -> str:
        """The claims of the good token, with another header, algorithm or key."""
        changed = {**self._header, "alg": algorithm, **header}
        merged = {name: value for name, value in changed.items() if value is not NO_CLAIM}
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
        return {name: value for name, value in {**self._claims, **claims}.items() if value is not NO_CLAIM}

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


REFUSED: Mapping[str, tuple[Callable[[Forger], str], str | None]] = {
    "app-only: roles, no scp, idtyp app": (
        lambda forger: forger.token(scp=NO_CLAIM, idtyp="app", roles=["Tunnel_Allow"], xms_idrel="7 18"),
        "user-token",
    ),
    "app-only without a mark": (
        lambda forger: forger.token(
            scp=NO_CLAIM, idtyp=NO_CLAIM, xms_idrel=NO_CLAIM, acct=NO_CLAIM, roles=["Tunnel_Allow"]
        ),
        "scope",
    ),
    "app-only with an empty scp": (lambda forger: forger.token(scp="", idtyp=NO_CLAIM), "scope"),
    "app-only with a scp of one slash": (lambda forger: forger.token(scp="/", idtyp=NO_CLAIM), "scope"),
    "idtyp app with a scp": (lambda forger: forger.token(idtyp="app"), "user-token"),
    "service principal by xms_idrel": (lambda forger: forger.token(xms_idrel="1 7 18"), "no-guest"),
    "account of an agent": (lambda forger: forger.token(xms_sub_fct="9 3 13"), "person"),
    "account of an agent in a list": (lambda forger: forger.token(xms_sub_fct=["13"]), "person"),
    "guest with all marks": (
        lambda forger: forger.token(acct=1, idp=_TENANT_OF_GUEST, xms_idrel="5 30"),
        "member",
    ),
    "guest by acct that is false": (lambda forger: forger.token(acct=False), "member"),
    "guest by acct": (lambda forger: forger.token(acct=1), "member"),
    "guest by acct as text": (lambda forger: forger.token(acct="1"), "member"),
    "guest by idp": (lambda forger: forger.token(idp=_TENANT_OF_GUEST), "home-account"),
    "guest by idp of a consumer": (lambda forger: forger.token(idp="live.com"), "home-account"),
    "guest by xms_idrel": (lambda forger: forger.token(xms_idrel="30 5"), "relation"),
    "guest and member by xms_idrel": (lambda forger: forger.token(xms_idrel="30 5 1"), "no-guest"),
    "xms_idrel of a number": (lambda forger: forger.token(xms_idrel=1), "relation"),
    "no member by xms_idrel": (lambda forger: forger.token(xms_idrel="11 30"), "relation"),
    "another scope": (lambda forger: forger.token(scp="User.Read openid"), "scope"),
    "scope as part of a longer one": (
        lambda forger: forger.token(scp="Tunnel_Allow.Read xTunnel_Allow Tunnel_Allow_"),
        "scope",
    ),
    "scope in other letters": (lambda forger: forger.token(scp="tunnel_allow"), "scope"),
    "scope behind a tab": (lambda forger: forger.token(scp="User.Read\tTunnel_Allow"), "scope"),
    "scope in a list": (lambda forger: forger.token(scp=["Tunnel_Allow"]), "scope"),
    "no scp": (lambda forger: forger.token(scp=NO_CLAIM), "scope"),
    "another tenant": (lambda forger: forger.token(tid=STRANGER), "tenant"),
    "no tenant": (lambda forger: forger.token(tid=NO_CLAIM), "tenant"),
    "consumer accounts": (
        lambda forger: forger.token(
            tid=CONSUMERS, iss=f"https://login.microsoftonline.com/{CONSUMERS}/v2.0", idp="live.com"
        ),
        "issuer",
    ),
    "another audience": (lambda forger: forger.token(aud="https://graph.microsoft.com"), "audience"),
    "two audiences": (
        lambda forger: forger.token(aud=["3678c9e9-9681-447a-974d-d19f668fcd88", "x"]),
        "audience",
    ),
    "audience with a slash": (
        lambda forger: forger.token(aud="3678c9e9-9681-447a-974d-d19f668fcd88/"),
        "audience",
    ),
    "another issuer": (
        lambda forger: forger.token(iss=f"https://login.microsoftonline.com/{STRANGER}/v2.0"),
        "issuer",
    ),
    "issuer of the other version": (
        lambda forger: forger.token(iss=f"https://sts.windows.net/{forger.tenant}/", ver="1.0"),
        "issuer",
    ),
    "valid for ten years": (_ten_years, "lifetime"),
    "valid for ten years, of which most are past": (
        lambda forger: forger.token(
            iat=Forger.now() - TEN_YEARS, nbf=Forger.now() - TEN_YEARS, exp=Forger.now() + 60
        ),
        "lifetime",
    ),
    "from ten years ago by iat alone": (
        lambda forger: forger.token(iat=Forger.now() - TEN_YEARS),
        "lifetime",
    ),
    "issued in the future": (lambda forger: forger.token(iat=Forger.now() + 600), "lifetime"),
    "times below zero": (lambda forger: forger.token(nbf=-(2**63), iat=-(2**63)), "lifetime"),
    "times out of range": (lambda forger: forger.token(exp=2**70), "format"),
    "times with a fraction": (lambda forger: forger.token(exp=Forger.now() + 60.5), "validity"),
    "expired": (lambda forger: forger.token(exp=Forger.now() - 5), "validity"),
    "not yet valid": (lambda forger: forger.token(nbf=Forger.now() + 60), "validity"),
    "valid in five seconds": (lambda forger: forger.token(nbf=Forger.now() + 5), "validity"),
    "no exp": (lambda forger: forger.token(exp=NO_CLAIM), "validity"),
    "no iat": (lambda forger: forger.token(iat=NO_CLAIM), "validity"),
    "no nbf": (lambda forger: forger.token(nbf=NO_CLAIM), "validity"),
    "oid with a line of a log": (
        lambda forger: forger.token(oid=f"{STRANGER}\nocserv[1]: main: INJECTED user logged in"),
        "user",
    ),
    "oid with a comma": (lambda forger: forger.token(oid=f"{STRANGER},INJECTED"), "user"),
    "oid of words": (lambda forger: forger.token(oid="INJECTED administrator"), "user"),
    "oid of a shell command": (lambda forger: forger.token(oid="$(touch /run/INJECTED)"), "user"),
    "oid too short": (lambda forger: forger.token(oid=STRANGER[:-1]), "user"),
    "oid in braces": (lambda forger: forger.token(oid=f"{{{STRANGER}}}"), "user"),
    "oid empty": (lambda forger: forger.token(oid=""), "user"),
    "oid of a number": (lambda forger: forger.token(oid=7), "user"),
    "no oid": (lambda forger: forger.token(oid=NO_CLAIM), "user"),
    "not signed (alg none)": (lambda forger: forger.with_header(algorithm="none"), "algorithm"),
    "HS256 with the public key": (lambda forger: forger.by_public_key(), "algorithm"),
    "RS512 by the right key": (lambda forger: forger.with_header(algorithm="RS512"), "algorithm"),
    "signed with another key": (
        lambda forger: forger.with_header(key=rsa.generate_private_key(65537, 2048)),
        "signature",
    ),
    "unknown kid": (lambda forger: forger.with_header(kid="nobody"), "signature"),
    "kid with a line of a log": (lambda forger: forger.with_header(kid="x\nINJECTED"), "key-name"),
    "no kid": (lambda forger: forger.with_header(kid=NO_CLAIM), "key-name"),
    "kid of 10,000 letters": (lambda forger: forger.with_header(kid="k" * 10_000), "key-name"),
    "no typ": (lambda forger: forger.with_header(typ=""), "type"),
    "typ jwt": (lambda forger: forger.with_header(typ="jwt"), "type"),
    "typ at+jwt": (lambda forger: forger.with_header(typ="at+jwt"), "type"),
    "claims in 100,000 lists": (lambda forger: forger.deep(100_000), None),
    "claims in 3,000 lists": (lambda forger: forger.deep(3000), "format"),
    "40 KB of claims": (lambda forger: forger.token(padding="x" * 40_000, tid=STRANGER), None),
    "a megabyte of claims": (lambda forger: forger.token(padding="x" * 1_000_000), None),
    "three dots": (lambda _forger: "...", "format"),
    "no JSON": (lambda _forger: "a.b.c", "format"),
    "one letter": (lambda _forger: "x", "format"),
}
"""What each attack is called, the token, and the rule that refuses it; None where it never gets to a rule."""

ACCEPTED: Mapping[str, Callable[[Forger], str]] = {
    "as issued": lambda forger: forger.good,
    "several scopes": lambda forger: forger.token(scp="openid Tunnel_Allow User.Read"),
    "without optional claims": lambda forger: forger.token(
        idtyp=NO_CLAIM, acct=NO_CLAIM, xms_idrel=NO_CLAIM, idp=NO_CLAIM
    ),
    "home account by idp": lambda forger: forger.token(idp=forger.issuer),
    "home account by the idp of version 1": lambda forger: forger.token(
        idp=forger.issuer.removesuffix("v2.0")
    ),
    "member with numbers of no known meaning": lambda forger: forger.token(xms_idrel="30 1 15555"),
    "valid for 28 hours": lambda forger: forger.token(exp=Forger.now() + 28 * 3600),
}
"""Tokens of people of this tenant, which let a device in."""
