"""The rules for access tokens as the gateway reads them; tests/attack tries them on the real one."""

import pytest

from mstunnel_setup.gateway.oidc import (
    CLAIM_RULES,
    FIXED_RULES,
    ISSUERS,
    TokenIssuers,
    TokenRules,
    TokenVersion,
    rule_of,
    tenant_of,
)
from tests.cases import every

TENANT = "0b5e1c6e-30f6-4c5e-9d6f-2f4a4d8f6a10"
V1 = f"https://sts.windows.net/{TENANT}/"
RULES = TokenRules(
    metadata="https://login/metadata",
    tenant_id=TENANT,
    audience="gateway",
    issuer="https://login/v2.0",
    home_issuers=(V1, "https://login/v2.0"),
    scope="Tunnel_Allow",
    maximum_lifetime=3600,
)


@pytest.mark.parametrize(
    ("cloud", "authority", "version", "issuer"),
    [
        ("public", "https://login.microsoftonline.com", 1, V1),
        (
            "public",
            "https://login.microsoftonline.com",
            2,
            f"https://login.microsoftonline.com/{TENANT}/v2.0",
        ),
        ("gcc-high", "https://login.microsoftonline.us", 1, V1),
        ("dod", "https://login.microsoftonline.us", 2, f"https://login.microsoftonline.us/{TENANT}/v2.0"),
        ("custom", "https://lab.example:8443", 1, f"https://lab.example:8443/{TENANT}/"),
        ("custom", "https://lab.example:8443/", 2, f"https://lab.example:8443/{TENANT}/v2.0"),
    ],
)
def test_the_issuer_of_a_cloud_and_version(
    cloud: str, authority: str, version: TokenVersion, issuer: str
) -> None:
    assert TokenIssuers(cloud, authority, TENANT).issuer(version) == issuer


@pytest.mark.parametrize(
    ("cloud", "issuer", "version"),
    [
        ("public", None, 1),
        ("gcc-high", None, 1),
        ("custom", None, 2),
        ("public", f"https://login.microsoftonline.com/{TENANT}/v2.0", 2),
        ("custom", f"https://lab.example/{TENANT}/", 1),
    ],
)
def test_the_version_unless_it_is_set(cloud: str, issuer: str | None, version: TokenVersion) -> None:
    assert TokenIssuers(cloud, "https://login", TENANT).version(issuer) == version


@pytest.mark.parametrize(
    ("issuer", "tenant"),
    [
        (V1, TENANT),
        (f"https://LOGIN.example/{TENANT.upper()}/v2.0", TENANT),
        ("https://login.microsoftonline.com/common/v2.0", ""),
        (f"https://sts.windows.net/{TENANT[:-1]}/", ""),
        ("", ""),
    ],
)
def test_the_tenant_that_an_issuer_names(issuer: str, tenant: str) -> None:
    assert tenant_of(issuer) == tenant


@pytest.mark.parametrize("end", ["", "/"])
def test_each_version_has_its_openid_document(end: str) -> None:
    issuers = TokenIssuers("public", f"https://login.microsoftonline.com{end}", TENANT)
    base = f"https://login.microsoftonline.com/{TENANT}"
    assert issuers.metadata(1) == f"{base}/.well-known/openid-configuration"
    assert issuers.metadata(2) == f"{base}/v2.0/.well-known/openid-configuration"


def test_what_the_gateway_requires_of_a_token() -> None:
    assert RULES.document() == {
        "openid_configuration_url": "https://login/metadata",
        "minimum_jwk_refresh_time": 900,
        "algorithm": "RS256",
        "user_name_claim": "oid",
        "user_name_format": "guid",
        "maximum_lifetime": 3600,
        "required_claims": {"aud": "gateway", "iss": "https://login/v2.0", "tid": TENANT},
        "optional_claims": {"acct": [0], "idp": ["https://login/v2.0", V1], "idtyp": ["user"]},
        "required_words": {"scp": ["Tunnel_Allow"]},
        "optional_words": {"xms_idrel": ["1"]},
        "forbidden_words": {"xms_idrel": ["5", "7"], "xms_sub_fct": ["13"]},
    }


def test_further_claims_are_required_too() -> None:
    rules = TokenRules(**{**vars(RULES), "required_claims": {"azp": "an app", "acct": 0}})
    ours = {"aud": "gateway", "iss": "https://login/v2.0", "tid": TENANT}
    assert rules.document()["required_claims"] == {**ours, "azp": "an app", "acct": 0}


@pytest.mark.parametrize(("version", "claim"), [(1, "appid"), (2, "azp")])
def test_only_the_named_applications_may_present_a_token(version: TokenVersion, claim: str) -> None:
    rules = TokenRules(**{**vars(RULES), "version": version, "clients": ("an app", "another")})
    assert rules.document()["listed_claims"] == {claim: ["an app", "another"]}


@pytest.mark.parametrize("cloud", ["public", "gcc-high", "dod", "custom"])
def test_each_cloud_has_one_form_of_each_version_and_one_default(cloud: str) -> None:
    own = [form for form in ISSUERS if cloud in form.clouds]
    assert sorted(form.version for form in own) == [1, 2]
    assert [form.default for form in own].count(True) == 1
    assert all(form.source for form in own)


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
def test_logged_reason_names_one_token_rule(reason: str, rule: str) -> None:
    """tests/attack compares the reasons with the log of the real gateway."""
    assert rule_of(reason) == rule


def test_names_of_token_rules_are_unique() -> None:
    names = [rule.name for rule in (*FIXED_RULES, *CLAIM_RULES)]
    assert len(names) == len(set(names))
