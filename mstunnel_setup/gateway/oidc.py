"""`oidc.json`: the rules for access tokens that the gateway accepts.

The rules about claims are a table; docs/reference/tokens.md shows it with its sources. ocserv compares
`required_claims` for equality and rejects a token without `exp`, `nbf` and `iat`; the other keys come from
images/gateway/patches/01-token-rules.patch. Its log messages about rejected tokens are in
`src/auth/openidconnect.c` with these patches.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base.values import JsonObject

TokenVersion: TypeAlias = Literal[1, 2]

_V2: Final = 2
_TENANT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class IssuerForm:
    """The form of the claim `iss` in tokens of one version in some clouds.

    Its placeholder `{authority}` is the URL of the sign-in host, `{tenant}` the tenant's id. `default` marks
    the version that these clouds use unless the answers name another one.
    """

    clouds: tuple[str, ...]
    version: TokenVersion
    form: str
    source: str
    default: bool = False


ISSUERS: Final = (
    IssuerForm(("public",), 1, "https://sts.windows.net/{tenant}/", "tokens", default=True),
    IssuerForm(("gcc-high", "dod"), 1, "https://sts.windows.net/{tenant}/", "community answer", default=True),
    IssuerForm(("custom",), 1, "{authority}/{tenant}/", "the lab tenant"),
    IssuerForm(("public",), 2, "https://login.microsoftonline.com/{tenant}/v2.0", "tokens"),
    IssuerForm(
        ("gcc-high", "dod"),
        2,
        "https://login.microsoftonline.us/{tenant}/v2.0",
        "clouds for the host; the form is inferred",
    ),
    IssuerForm(("custom",), 2, "{authority}/{tenant}/v2.0", "the lab tenant", default=True),
)
"""The forms of issuers; each cloud has one for each version."""


def tenant_of(issuer: str) -> str:
    """Return the tenant id in an issuer, in lower case; empty if it contains none."""
    found = _TENANT_ID.search(issuer.lower())
    return found[0] if found else ""


@dataclass(frozen=True)
class TokenIssuers:
    """The issuers of one tenant's tokens, and the addresses of its OpenID documents.

    `authority` is the sign-in host's URL.
    """

    cloud: str
    authority: str
    tenant_id: str

    def version(self, issuer: str | None) -> TokenVersion:
        """Return the token version of an issuer, or the default of the cloud if it is empty."""
        if issuer:
            return 2 if issuer.endswith("/v2.0") else 1
        return next(each.version for each in ISSUERS if self.cloud in each.clouds and each.default)

    def issuer(self, version: TokenVersion) -> str:
        """Return the issuer in tokens of this version."""
        form = next(each.form for each in ISSUERS if self.cloud in each.clouds and each.version == version)
        return form.format(authority=self.authority.rstrip("/"), tenant=self.tenant_id)

    def metadata(self, version: TokenVersion) -> str:
        """Return the address of the tenant's own OpenID document, never `common`, for this token version."""
        base = f"{self.authority.rstrip('/')}/{self.tenant_id}{'/v2.0' if version == _V2 else ''}"
        return f"{base}/.well-known/openid-configuration"


ClaimValue: TypeAlias = str | int | bool


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """The rules for tokens: delegated, of a member of this tenant, for this gateway, short-lived.

    `metadata` is the address of the OpenID document, `home_issuers` are the `idp` values of members, `scope`
    one delegated permission, `clients` the only applications that may present a token (empty: any),
    `maximum_lifetime` is in seconds; `required_claims` are compared for equality, after the fixed rules.
    """

    metadata: str
    tenant_id: str
    audience: str
    issuer: str
    home_issuers: tuple[str, ...]
    scope: str
    maximum_lifetime: int
    version: TokenVersion = 1
    clients: tuple[str, ...] = ()
    required_claims: Mapping[str, ClaimValue] = field(default_factory=dict)

    def document(self) -> JsonObject:
        """Return the object of `oidc.json`; the user name of a session is the object id."""
        return {
            "openid_configuration_url": self.metadata,
            "minimum_jwk_refresh_time": 900,
            "algorithm": "RS256",
            "user_name_claim": "oid",
            "user_name_format": "guid",
            "maximum_lifetime": self.maximum_lifetime,
            **{str(each): claims for each in Comparison if (claims := self._claims(each))},
        }

    def _claims(self, comparison: "Comparison") -> JsonObject:
        """Return the expected values of the claims for one kind of comparison."""
        given: JsonObject = {}
        for rule in CLAIM_RULES:
            if rule.comparison is comparison and (values := rule.values(self)):
                given[rule.claim] = values[0] if comparison is Comparison.EQUAL else [*values]
        return {**given, **self.required_claims} if comparison is Comparison.EQUAL else given


class Comparison(StrEnum):
    """A kind of comparison of a claim with the values of a rule, and its key in `oidc.json`."""

    EQUAL = "required_claims"
    LISTED = "listed_claims"
    LISTED_IF_PRESENT = "optional_claims"
    WORDS = "required_words"
    WORDS_IF_PRESENT = "optional_words"
    NO_WORDS = "forbidden_words"


@dataclass(frozen=True)
class ClaimRule:
    """One rule about a claim, by the name that `mst-cli explain` shows.

    `values` returns the values for a tenant; without any the rule is omitted. `answer` is the setting that
    determines them. `passes`, `reason` and `source` are for the reference page.
    """

    name: str
    claim: str
    comparison: Comparison
    values: Callable[[TokenRules], Sequence[ClaimValue]]
    passes: str
    reason: str
    source: str
    answer: str = ""


CLAIM_RULES: Final = (
    ClaimRule(
        "audience",
        "aud",
        Comparison.EQUAL,
        lambda rules: (rules.audience,),
        "is Microsoft Tunnel Gateway, `3678c9e9-9681-447a-974d-d19f668fcd88`",
        "a token for another service is not valid for this one",
        "validation",
        "token.required_claims.aud",
    ),
    ClaimRule(
        "issuer",
        "iss",
        Comparison.EQUAL,
        lambda rules: (rules.issuer,),
        "is the issuer of the cloud and version",
        "the boundary of the tenant",
        "validation",
        "tenant.issuer, token.version",
    ),
    ClaimRule(
        "tenant",
        "tid",
        Comparison.EQUAL,
        lambda rules: (rules.tenant_id,),
        "is the tenant that the server is registered in",
        "the boundary of the tenant",
        "validation",
    ),
    ClaimRule(
        "client-v1",
        "appid",
        Comparison.LISTED,
        lambda rules: rules.clients if rules.version == 1 else (),
        "is one of your applications, in tokens of version 1",
        "limits the apps; no proof of the app, as apps of one vendor can share refresh tokens",
        "claims",
        "token.clients",
    ),
    ClaimRule(
        "client",
        "azp",
        Comparison.LISTED,
        lambda rules: () if rules.version == 1 else rules.clients,
        "is one of your applications, in tokens of version 2",
        "the same for tokens of version 2",
        "claims",
        "token.clients",
    ),
    ClaimRule(
        "member",
        "acct",
        Comparison.LISTED_IF_PRESENT,
        lambda _: (0,),
        "is the number 0, if present",
        "1 is a guest",
        "optional",
    ),
    ClaimRule(
        "home-account",
        "idp",
        Comparison.LISTED_IF_PRESENT,
        lambda rules: sorted({rules.issuer, *rules.home_issuers}),
        "is an issuer of this tenant, if present",
        "another one verified the account of a guest",
        "claims; the rule is inferred",
    ),
    ClaimRule(
        "user-token",
        "idtyp",
        Comparison.LISTED_IF_PRESENT,
        lambda _: ("user",),
        "is `user`, if present",
        "`app` is a token of an application for itself",
        "optional, agents",
    ),
    ClaimRule(
        "scope",
        "scp",
        Comparison.WORDS,
        lambda rules: (rules.scope,),
        "contains the permission as a word (`Tunnel_Allow`)",
        "only tokens of people who signed in have scopes",
        "claims, validation",
        "token.scope",
    ),
    ClaimRule(
        "relation",
        "xms_idrel",
        Comparison.WORDS_IF_PRESENT,
        lambda _: ("1",),
        "contains 1, if present",
        "1 is a member",
        "agents; the rule is inferred",
    ),
    ClaimRule(
        "no-guest",
        "xms_idrel",
        Comparison.NO_WORDS,
        lambda _: ("5", "7"),
        "contains neither 5 nor 7",
        "5 is a guest, 7 a service principal",
        "agents; the rule is inferred",
    ),
    ClaimRule(
        "person",
        "xms_sub_fct",
        Comparison.NO_WORDS,
        lambda _: ("13",),
        "does not contain 13",
        "13 is the account of an AI agent, which otherwise looks like a person",
        "agents; the rule is inferred",
    ),
)
"""The rules about claims, in the order in which the gateway checks them."""

FURTHER_CLAIMS: Final = "required-claims"
"""Name of the rule for the claims that the answers add."""


@dataclass(frozen=True)
class FixedRule:
    """One fixed rule; `logged` matches the log message about a token that violates it.

    `key` is its key in `oidc.json`, if any; the rest is for the reference page, as in `ClaimRule`.
    """

    name: str
    passes: str
    reason: str
    source: str
    logged: str
    key: str = ""
    answer: str = ""


FIXED_RULES: Final = (
    FixedRule(
        "key-name",
        "the header `kid` is printable ASCII without spaces, 128 characters at most",
        "it is logged before anything of the token is verified",
        "ocserv",
        r"no kid",
    ),
    FixedRule(
        "type", "the header `typ` is `JWT`", "other types are not access tokens", "ocserv", r"wrong typ"
    ),
    FixedRule(
        "algorithm",
        "the header `alg` is `RS256`",
        "refuses unsigned tokens, and those signed with a public key as the secret",
        "tokens",
        r"not signed with",
        key="algorithm",
    ),
    FixedRule(
        "signature",
        "the signature is by a key of the tenant's own OpenID document",
        "the keys of the document `common` sign for other tenants, too",
        "tokens",
        r"failed validation|^JWK",
        key="openid_configuration_url",
        answer="token.version",
    ),
    FixedRule(
        "format",
        "it is a signed JSON Web Token that can be read",
        "nothing else can be verified",
        "ocserv",
        r"^Token malformed|^Failed to get",
    ),
    FixedRule(
        "validity",
        "`nbf`, `iat` and `exp` are present, `nbf` is past and `exp` is not; no tolerance",
        "a token must expire",
        "ocserv",
        r"validity period|missing '(nbf|iat|exp)'",
    ),
    FixedRule(
        "lifetime",
        "from `nbf`, from `iat` and from now to `exp` it is 30 hours at most; `iat` is past",
        "Entra issues none that is valid for longer",
        "tokens",
        r"valid for more than",
        key="maximum_lifetime",
        answer="token.maximum_lifetime",
    ),
    FixedRule(
        FURTHER_CLAIMS,
        "each claim that you configure is exactly that value, including its type",
        "your own rules",
        "ocserv",
        r"^Required claim not met",
        key=Comparison.EQUAL,
        answer="token.required_claims",
    ),
    FixedRule(
        "user",
        "`oid` is a GUID",
        "it is the name of the user in logs, scripts and `occtl`",
        "claims",
        r"no GUID in claim|missing 'oid'",
        key="user_name_claim",
    ),
)

_LOGGED: Final = {
    Comparison.EQUAL: r"^Required claim not met\. Claim: {} ",
    Comparison.LISTED: r"another value in claim: {}$",
    Comparison.LISTED_IF_PRESENT: r"another value in claim: {}$",
    Comparison.WORDS: r"claim {0} lacks the word|no words in claim: {0}$",
    Comparison.WORDS_IF_PRESENT: r"claim {0} lacks the word|no words in claim: {0}$",
    Comparison.NO_WORDS: r"claim {0} has the word|no words in claim: {0}$",
}


def rule_of(reason: str) -> str:
    """Return the name of the rule that a reason in the gateway's log is about; empty if unknown."""
    for rule in (*CLAIM_RULES, *FIXED_RULES):
        if isinstance(rule, FixedRule):
            logged = rule.logged
        else:
            logged = _LOGGED[rule.comparison].format(re.escape(rule.claim))
        if re.search(logged, reason):
            return rule.name
    return ""
