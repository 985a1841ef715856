"""`mst-cli explain` judges the tokens of tests/attack/tokens.py as the gateway does, in both versions."""

import pytest

from mstunnel_lab.entra.permissions import Resource
from mstunnel_lab.entra.tokens import KeyRing, TokenService
from mstunnel_lab.records import UserRecord
from mstunnel_lab.urls import Urls
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway.oidc import TokenRules, TokenVersion
from mstunnel_setup.operations.token_rules import claim_problems, header_problem, time_problem, user_of
from mstunnel_setup.tenant.token_sources import claims, header
from tests.attack.tokens import ACCEPTED, NO_CLAIM, REFUSED, Forger
from tests.cases import every

TENANT, PERSON = "11111111-2222-3333-4444-555555555555", "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11"
GATEWAY, APP = "3678c9e9-9681-447a-974d-d19f668fcd88", "1b730954-1685-4b74-9bfd-dac224a7b894"
URLS = Urls("https://lab.example:1", TENANT)
USER = UserRecord(id=PERSON, upn="u@lab.example", name="U", password="p", roles=(), licensed=True)
# Only the gateway verifies signatures and parses damaged tokens.
OF_THE_GATEWAY = ("signature", "format", None)
JUDGED = [name for name, (_, rule) in REFUSED.items() if rule not in OF_THE_GATEWAY]


@pytest.fixture(scope="module", params=[1, 2])
def version(request: pytest.FixtureRequest) -> TokenVersion:
    return 1 if request.param == 1 else 2


@pytest.fixture(scope="module")
def forger(version: TokenVersion, tmp_path_factory: pytest.TempPathFactory) -> Forger:
    ring = KeyRing(tmp_path_factory.mktemp("key"))
    service = TokenService(ring, URLS, version)
    token = service.user_token(USER, APP, Resource(GATEWAY, GATEWAY), ("Tunnel_Allow",), 3600)
    return Forger(token, ring.current.private)


def rules_of(version: TokenVersion, *clients: str) -> JsonObject:
    """Return the rules of a gateway that accepts tokens of these applications; without any, of all."""
    return TokenRules(
        metadata=URLS.openid_configuration(version),
        tenant_id=TENANT,
        audience=GATEWAY,
        issuer=URLS.issuer(version),
        home_issuers=(URLS.issuer(1), URLS.issuer(2)),
        scope="Tunnel_Allow",
        maximum_lifetime=108000,
        version=version,
        clients=clients,
    ).document()


def broken(token: str, version: TokenVersion, *clients: str) -> list[str]:
    """Return the names of the rules that a token breaks."""
    rules, given = rules_of(version, *clients), claims(token)
    alone = (header_problem(header(token), rules), time_problem(given, rules, Forger.now()))
    return [each.rule for each in (*alone, *claim_problems(given, rules)) if each]


@every("name", ACCEPTED)
def test_valid_tokens_break_no_rule(forger: Forger, version: TokenVersion, name: str) -> None:
    assert broken(ACCEPTED[name](forger), version) == []


@every("name", JUDGED)
def test_refused_token_breaks_the_same_rule_as_in_the_gateway(
    forger: Forger, version: TokenVersion, name: str
) -> None:
    make, rule = REFUSED[name]
    assert rule in broken(make(forger), version)


def test_token_of_the_other_version_is_refused(forger: Forger, version: TokenVersion) -> None:
    assert broken(forger.good, 2 if version == 1 else 1) == ["issuer"]


def test_only_named_applications_may_present_a_token(forger: Forger, version: TokenVersion) -> None:
    rule = "client-v1" if version == 1 else "client"
    assert broken(forger.good, version, PERSON, APP) == []
    assert broken(forger.good, version, PERSON) == [rule]
    assert broken(forger.token(azp=NO_CLAIM, appid=NO_CLAIM), version, APP) == [rule]


def test_claims_without_a_rule_are_never_shown(forger: Forger, version: TokenVersion) -> None:
    given = {**claims(forger.good), "upn": "ada@example.com", "aud": "x\x1b[31m\n" + "y" * 500}
    (problem,) = claim_problems(given, rules_of(version))
    assert problem.text.startswith("aud is ")
    assert "ada@example.com" not in problem.text
    assert problem.text.isprintable()
    assert len(problem.text) < 150


def test_user_comes_from_the_configured_claim(forger: Forger, version: TokenVersion) -> None:
    assert user_of(claims(forger.good), rules_of(version)) == PERSON
    assert user_of({"oid": 7}, rules_of(version)) == ""
