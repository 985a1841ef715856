"""The rules for tokens besides those on values of claims, and which rule a line of the log is about.

Source: `src/auth/openidconnect.c` of ocserv with the patches of images/gateway/patches.
"""

import re
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.gateway.oidc import CLAIM_RULES, Comparison

FURTHER_CLAIMS: Final = "required-claims"
"""The rule of the claims that the answers add."""


@dataclass(frozen=True)
class FixedRule:
    """One rule by its name; `logged` matches what the gateway logs of a token that breaks it.

    `key` is that of `oidc.json` if there is one; the rest is for the reference page, as in `ClaimRule`.
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
        "type", "the header `typ` is `JWT`", "other types are no access tokens", "ocserv", r"wrong typ"
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
    """The name of the rule that a reason in the gateway's log is about; empty for none that is known."""
    for rule in (*CLAIM_RULES, *FIXED_RULES):
        if isinstance(rule, FixedRule):
            logged = rule.logged
        else:
            logged = _LOGGED[rule.comparison].format(re.escape(rule.claim))
        if re.search(logged, reason):
            return rule.name
    return ""
