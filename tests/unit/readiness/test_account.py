"""The account: role and licence, with prepared responses and a running lab tenant; never a token."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_lab import remote
from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.readiness.checks import judge, of
from mstunnel_setup.readiness.examine import known_tunnel
from mstunnel_setup.readiness.facts.host import TunnelFacts
from mstunnel_setup.readiness.facts.tenant_account import AccountFacts, ask_tenant
from mstunnel_setup.readiness.model import Group, ReadinessFacts
from mstunnel_setup.tenant.clouds import CLOUDS, cloud
from mstunnel_setup.tenant.roles import INTUNE_ADMINISTRATOR
from mstunnel_setup.tenant.sign_in import SETUP_PERMISSIONS, DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import TokenSource
from mstunnel_setup.tenant.wire import USER_READ
from tests.unit.running_lab import running_lab
from tests.unit.tenant.fakes import FakeHttp, fixed_token, response

PLANS = {"value": [{"servicePlans": [{"servicePlanName": "INTUNE_A", "provisioningStatus": "Success"}]}]}
OTHER = {"value": [{"servicePlans": [{"servicePlanName": "EXCHANGE_S", "provisioningStatus": "Success"}]}]}
REFUSED = {"error": {"code": "Forbidden", "message": "no"}}
SITES = {
    "value": [
        {
            "id": "1",
            "displayName": "Berlin\x1b[31m",
            "microsoftTunnelConfiguration": {"network": "10.7.0.0/16", "dnsServers": ["10.0.0.53"]},
        }
    ]
}
APPS = {"value": [{"id": "1", "appId": "3678c9e9-9681-447a-974d-d19f668fcd88"}]}


def token(**claims: object) -> TokenSource:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return fixed_token(f"header.{body}.signature")


def ask(source: TokenSource, *answers: Any) -> AccountFacts:
    http = FakeHttp([response(*answer) for answer in answers])
    return ask_tenant(http, Clock(), CLOUDS["public"], lambda: source)


def test_facts_of_an_administrator_are_complete() -> None:
    source = token(upn="admin@contoso.example", wids=[INTUNE_ADMINISTRATOR], scp="x", secret_claim="hidden")

    found = ask(source, (200, SITES), (200, PLANS), (200, APPS))

    assert (found.name, found.roles, found.licensed) == (
        "admin@contoso.example",
        (INTUNE_ADMINISTRATOR,),
        True,
    )
    assert (found.sites, found.gateway_application) == (("Berlin[31m",), True)
    assert found.tunnels["Berlin\x1b[31m"].pool == "10.7.0.0/16"
    assert "hidden" not in found.model_dump_json()
    assert source() not in found.model_dump_json()


def test_another_licence_is_not_intune() -> None:
    assert ask(token(upn="a"), (200, SITES), (200, OTHER), (200, APPS)).licensed is False


def test_facts_that_the_tenant_refuses_are_unknown() -> None:
    found = ask(token(upn="a"), (403, REFUSED))

    assert (found.error, found.roles, found.licensed, found.sites, found.gateway_application) == (
        "",
        *[None] * 4,
    )


def test_refused_sign_in_is_reported() -> None:
    def refuse() -> TokenSource:
        raise SignInError("account-blocked", "the account is blocked", "Unblock it.")

    found = ask_tenant(FakeHttp(), Clock(), CLOUDS["public"], refuse)

    assert (found.error, found.hint) == ("the account is blocked", "Unblock it.")


def test_configuration_of_the_only_or_named_site_is_used() -> None:
    nothing, berlin, osaka = TunnelFacts(), TunnelFacts(source="Berlin"), TunnelFacts(source="Osaka")
    one, two = {"Berlin": berlin}, {"Berlin": berlin, "Osaka": osaka}

    assert known_tunnel(nothing, AccountFacts(tunnels=one), "") == berlin
    assert known_tunnel(nothing, AccountFacts(tunnels=two), "") == nothing
    assert known_tunnel(nothing, AccountFacts(tunnels=two), "Osaka") == osaka
    assert known_tunnel(osaka, AccountFacts(tunnels=one), "") == osaka
    assert known_tunnel(None, AccountFacts(tunnels=one), "") is None


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("lab")
    with running_lab(directory):
        yield directory


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("admin", {"account-role": "pass", "account-licence": "pass", "account-sites": "pass"}),
        ("unlicensed", {"account-role": "pass", "account-licence": "fail", "account-sites": "pass"}),
        ("reader", {"account-role": "fail", "account-licence": "pass", "account-sites": "unknown"}),
        ("viewer", {"account-role": "unknown", "account-licence": "pass", "account-sites": "pass"}),
    ],
)
def test_users_of_a_lab_tenant_have_their_findings(lab: Path, person: str, expected: dict[str, str]) -> None:
    known = json.loads((lab / "lab.json").read_text())
    http = HttpSession(Clock(), known["ca_file"])
    where = cloud("custom", known["authority"], known["graph"])

    def approve(code: DeviceCode) -> None:
        remote.approve(lab, code.code, f"{person}@contoso.example")

    sign_in = SignIn(http, Clock(), where, "organizations", known["client_id"])
    permissions = (*SETUP_PERMISSIONS, USER_READ)
    try:
        facts = ask_tenant(http, Clock(), where, lambda: sign_in.device_code(approve, permissions))
    finally:
        http.close()

    found = judge(of(frozenset({Group.ACCOUNT})), ReadinessFacts(account=facts))
    results = {item.id: item.result.value for item in found}
    assert results["account-sign-in"] == "pass"
    assert {name: results[name] for name in expected} == expected
