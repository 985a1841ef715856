"""Tokens, checked as by a gateway and Graph: discovery, key set, signature, claims, lifetime."""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from mstunnel_lab.entra.permissions import Resource
from mstunnel_lab.entra.tokens import KeyRing, TokenService
from mstunnel_lab.errors import GraphError
from mstunnel_lab.pki import signing_key
from mstunnel_lab.records import UserRecord
from mstunnel_lab.urls import Urls
from tests.unit.mstunnel_lab.conftest import claims_of

GATEWAY = "3678c9e9-9681-447a-974d-d19f668fcd88"
URLS = Urls("https://lab.example:1", "tenant")
USER = UserRecord(id="user-id", upn="u@lab.example", name="U", password="p", roles=(), licensed=True)
GRAPH = Resource("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> TokenService:
    return TokenService(KeyRing(tmp_path_factory.mktemp("key")), URLS, 2)


def test_device_token_passes_the_checks_of_the_gateway(lab: Any) -> None:
    """Check it like ocserv: discovery document, key set by kid, and comparison of issuer and audience."""
    gateway, token = lab.description["gateway"], lab.token_as("gateway")
    document = lab.session.get(gateway["openid_configuration_url"], timeout=20).json()
    keys = jwt.PyJWKSet.from_dict(lab.session.get(document["jwks_uri"], timeout=20).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=GATEWAY, issuer=document["issuer"])
    assert (claims["aud"], claims["iss"]) == (gateway["audience"], gateway["issuer"])
    assert claims["tid"] == lab.description["tenant_id"]
    assert {"oid", "exp", "nbf", "iat"} <= claims.keys()
    assert claims["upn"] == "device@lab.example"


def test_the_v1_document_names_the_v1_issuer(lab: Any) -> None:
    authority = lab.description["authority"]
    document = lab.session.get(f"{authority}/.well-known/openid-configuration", timeout=20).json()
    assert document["issuer"] == f"{authority}/"


@pytest.mark.parametrize(
    ("expected", "names", "others"),
    [
        (
            ("https://lab.example:1/tenant/", "1.0", f"api://{GATEWAY}"),
            {"appid", "appidacr"},
            {"azp", "azpacr"},
        ),
        ((URLS.issuer(2), "2.0", GATEWAY), {"azp", "azpacr"}, {"appid"}),
    ],
)
def test_the_seed_chooses_the_version_of_gateway_tokens(
    tmp_path: Path, expected: tuple[str, str, str], names: set[str], others: set[str]
) -> None:
    service = TokenService(KeyRing(tmp_path), URLS, int(float(expected[1])))
    resource = Resource(GATEWAY, f"api://{GATEWAY}")
    claims = claims_of(service.user_token(USER, "app", resource, ("Tunnel_Allow",), 60))
    assert (claims["iss"], claims["ver"], claims["aud"]) == expected
    assert names <= claims.keys()
    assert not others & claims.keys()


def test_token_of_a_guest_is_marked(service: TokenService) -> None:
    member, guest = (
        claims_of(service.user_token(user, "app", Resource(GATEWAY, GATEWAY), ("Tunnel_Allow",), 60))
        for user in (USER, USER.model_copy(update={"guest": True}))
    )
    assert (member["acct"], member["xms_idrel"].split()[0], member.get("idp")) == (0, "1", None)
    assert (guest["acct"], guest["xms_idrel"].split()[0]) == (1, "5")
    assert guest["idp"] != guest["iss"]


def test_application_gets_a_gateway_token_without_a_scope(lab: Any) -> None:
    claims = claims_of(lab.app_token("powerless", f"{GATEWAY}/.default"))
    assert (claims["aud"], claims["idtyp"]) == (GATEWAY, "app")
    assert not {"scp", "roles"} & claims.keys()


def test_graph_accepts_its_own_tokens(service: TokenService) -> None:
    token = service.user_token(USER, "app", GRAPH, ("User.Read",), 60)
    assert service.check_graph_token(token).scp == "User.Read"


@pytest.mark.parametrize("kind", ["expired", "gateway", "id token", "unsigned", "foreign key", "garbage", ""])
def test_graph_refuses_all_other_tokens(service: TokenService, tmp_path: Path, kind: str) -> None:
    good = service.user_token(USER, "app", GRAPH, (), 60)
    claims = claims_of(good)
    tokens = {
        "expired": service.user_token(USER, "app", GRAPH, (), -120),
        "gateway": service.user_token(USER, "app", Resource(GATEWAY, GATEWAY), (), 60),
        "id token": service.id_token(USER, "app", 60),
        "unsigned": jwt.encode(claims, "", algorithm="none"),
        "foreign key": jwt.encode(claims, signing_key(tmp_path / "other.pem"), algorithm="RS256"),
        "garbage": "a.b.c",
    }
    with pytest.raises(GraphError) as caught:
        service.check_graph_token(tokens.get(kind, kind))
    assert (caught.value.status, caught.value.code) == (401, "InvalidAuthenticationToken")


def test_times_of_a_token_are_whole_seconds(service: TokenService) -> None:
    claims = claims_of(service.id_token(USER, "app", 60))
    assert abs(claims["iat"] - time.time()) < 5
    assert claims["exp"] - claims["iat"] == 60
