"""`oidc.json`: which access tokens let a device in.

Source: docs/reference/tokens.md. ocserv compares `required_claims` for equality and refuses a token without
`exp`, `nbf` and `iat`; the other keys are those of images/gateway/patches/01-token-rules.patch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mstunnel_setup.engine.values import JsonObject

TokenVersion: TypeAlias = Literal[1, 2]
ClaimValue: TypeAlias = str | int | bool

_V2: Final = 2
_KEY_REFRESH_SECONDS: Final = 900
_MEMBER, _GUEST, _SERVICE_PRINCIPAL = "1", "5", "7"
_ACCOUNT_OF_AN_AGENT: Final = "13"


@dataclass(frozen=True)
class Issuers:
    """The `iss` claims of one tenant's tokens, and where its OpenID documents are.

    `authority` is the sign-in host's URL, with which both issuers of a custom cloud begin.
    """

    cloud: str
    authority: str
    tenant_id: str

    def version(self, issuer: str | None) -> TokenVersion:
        """The token version of an issuer; without one 1 in Microsoft's clouds, 2 in a custom cloud."""
        if issuer:
            return 2 if issuer.endswith("/v2.0") else 1
        return 2 if self.cloud == "custom" else 1

    def issuer(self, version: TokenVersion) -> str:
        """The issuer in tokens of this version; Microsoft's clouds share one host for version 1."""
        if version == _V2:
            return f"{self._base}/v2.0"
        return f"{self._base}/" if self.cloud == "custom" else f"https://sts.windows.net/{self.tenant_id}/"

    def metadata(self, version: TokenVersion) -> str:
        """The OpenID document that names the keys of tokens of this version."""
        return f"{self._base}{'/v2.0' if version == _V2 else ''}/.well-known/openid-configuration"

    @property
    def _base(self) -> str:
        return f"{self.authority.rstrip('/')}/{self.tenant_id}"


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """Rules for tokens: delegated, of a member of this tenant, for this gateway, short-lived.

    `metadata` is the address of the OpenID document, `home_issuers` are the `idp` values of members, `scope`
    one delegated permission, `maximum_lifetime` in seconds; `required_claims` are compared for equality,
    after ours.
    """

    metadata: str
    tenant_id: str
    audience: str
    issuer: str
    home_issuers: tuple[str, ...]
    scope: str
    maximum_lifetime: int
    required_claims: Mapping[str, ClaimValue] = field(default_factory=dict)

    def document(self) -> JsonObject:
        """The object of `oidc.json`. The user of a session is the object id (`mst-cli server show user`)."""
        members = sorted({self.issuer, *self.home_issuers})
        return {
            "openid_configuration_url": self.metadata,
            "minimum_jwk_refresh_time": _KEY_REFRESH_SECONDS,
            "algorithm": "RS256",
            "user_name_claim": "oid",
            "user_name_format": "guid",
            "maximum_lifetime": self.maximum_lifetime,
            "required_claims": {
                "aud": self.audience,
                "iss": self.issuer,
                "tid": self.tenant_id,
                **self.required_claims,
            },
            "optional_claims": {"acct": [0], "idp": [*members], "idtyp": ["user"]},
            "required_words": {"scp": [self.scope]},
            "optional_words": {"xms_idrel": [_MEMBER]},
            "forbidden_words": {
                "xms_idrel": [_GUEST, _SERVICE_PRINCIPAL],
                "xms_sub_fct": [_ACCOUNT_OF_AN_AGENT],
            },
        }
