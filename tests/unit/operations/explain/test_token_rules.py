"""A token is judged as the gateway judges it; `tests/attack/tokens.py` has these cases on a real one."""

from collections.abc import Mapping

import pytest

from mstunnel_setup.gateway.oidc import TokenRules
from mstunnel_setup.operations.token_rules import claim_problems, user_of

TENANT, GUEST = "11111111-2222-3333-4444-555555555555", "https://sts.windows.net/other/"
ADA = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11"
ISSUER = f"https://login.example.com/{TENANT}/v2.0"
RULES = TokenRules(
    metadata=f"{ISSUER}/.well-known/openid-configuration",
    tenant_id=TENANT,
    audience="gateway",
    issuer=ISSUER,
    home_issuers=(ISSUER,),
    scope="Tunnel_Allow",
    maximum_lifetime=108000,
).document()
GOOD = {"aud": "gateway", "iss": ISSUER, "tid": TENANT, "scp": "openid Tunnel_Allow", "oid": ADA}


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"acct": 0, "idtyp": "user", "xms_idrel": "1"},
        {"idp": ISSUER},
        {"xms_idrel": "30 1 15555"},
        {"xms_sub_fct": "9 3"},
    ],
)
def test_tokens_of_members_break_no_rule(claims: Mapping[str, object]) -> None:
    assert [*claim_problems({**GOOD, **claims}, RULES)] == []


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"aud": "https://graph.microsoft.com"}, "aud"),
        ({"aud": ["gateway", "x"]}, "aud"),
        ({"iss": GUEST}, "iss"),
        ({"tid": None}, "tid"),
        ({"scp": "Tunnel_Allow.Read"}, "scp"),
        ({"scp": "User.Read\tTunnel_Allow"}, "scp"),
        ({"scp": ["Tunnel_Allow"]}, "scp"),
        ({"scp": None}, "scp"),
        ({"idtyp": "app"}, "idtyp"),
        ({"acct": 1}, "acct"),
        ({"acct": "0"}, "acct"),
        ({"acct": False}, "acct"),
        ({"idp": GUEST}, "idp"),
        ({"xms_idrel": "30"}, "xms_idrel"),
        ({"xms_idrel": "1 5"}, "xms_idrel"),
        ({"xms_sub_fct": "9 13"}, "xms_sub_fct"),
    ],
)
def test_the_claim_that_breaks_a_rule_is_named(claims: Mapping[str, object], name: str) -> None:
    given = {key: value for key, value in {**GOOD, **claims}.items() if value is not None}
    problems = [*claim_problems(given, RULES)]
    assert len(problems) == 1, problems
    assert problems[0].text.startswith(f"{name} is ")


def test_a_claim_without_a_rule_is_never_shown_and_a_hostile_one_is_harmless() -> None:
    given = {**GOOD, "upn": "ada@example.com", "aud": "x\x1b[31m\n" + "y" * 500}
    (problem,) = claim_problems(given, RULES)
    assert "ada@example.com" not in problem.text
    assert problem.text.isprintable()
    assert len(problem.text) < 150


def test_the_user_is_the_claim_that_the_rules_name() -> None:
    assert user_of(GOOD, RULES) == ADA
    assert user_of({"oid": 7}, RULES) == ""
