"""A reason in the gateway's log names the rule; tests/attack compares with what the real gateway logs."""

from mstunnel_setup.gateway.fixed_rules import FIXED_RULES, rule_of
from mstunnel_setup.gateway.oidc import CLAIM_RULES
from tests.cases import every


@every(
    "reason, rule",
    [
        ("Token malformed - no kid", "key-name"),
        ("Token malformed - wrong typ claim", "type"),
        ("Token malformed - invalid argument", "format"),
        ("Token is not signed with RS256", "algorithm"),
        ("JWK with kid=x not found", "signature"),
        ("Token not within validity period NBF: 1 EXP: 2 Current: 3", "validity"),
        ("Token missing 'iat' claim", "validity"),
        ("Token is valid for more than 108000 seconds, or issued in the future", "lifetime"),
        ("Required claim not met. Claim: tid Expected Value: t", "tenant"),
        ("Required claim not met. Claim: tidy Expected Value: (null)", "required-claims"),
        ("Token has another value in claim: azp", "client"),
        ("Token has another value in claim: acct", "member"),
        ("Token claim scp lacks the word Tunnel_Allow", "scope"),
        ("Token has no words in claim: scp", "scope"),
        ("Token claim xms_idrel lacks the word 1", "relation"),
        ("Token claim xms_idrel has the word 5", "no-guest"),
        ("Token claim xms_sub_fct has the word 13", "person"),
        ("Token has no GUID in claim: oid", "user"),
        ("Token missing 'oid' claim", "user"),
        ("no configuration passed!", ""),
        ("", ""),
    ],
)
def test_a_reason_in_the_log_is_about_one_rule(reason: str, rule: str) -> None:
    assert rule_of(reason) == rule


def test_each_rule_has_a_name_of_its_own() -> None:
    names = [rule.name for rule in (*FIXED_RULES, *CLAIM_RULES)]
    assert len(names) == len(set(names))
