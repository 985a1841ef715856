"""The lab refuses what Entra and Graph refuse: tables in cases/."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

CASES = Path(__file__).parent / "cases"
METHODS = ("get", "post", "patch", "delete")


def table(name: str) -> list[Any]:
    cases = YAML(typ="safe").load((CASES / name).read_text())
    return [pytest.param(case, id=case["name"]) for case in cases]


def filled(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, str):
        for place, text in places.items():
            value = value.replace(f"{{{place}}}", text)
        return value
    if isinstance(value, dict):
        return {name: filled(item, places) for name, item in value.items()}
    return [filled(item, places) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def places(lab: Any) -> Iterator[dict[str, str]]:
    application = lab.graph("admin", "GET", "/applications?$filter=displayName eq 'agent'").json()["value"][0]
    servers = f"/deviceManagement/microsoftTunnelSites/{lab.site_id()}/microsoftTunnelServers"
    server = lab.graph("admin", "POST", servers, {"displayName": "judged"}).json()
    yield {
        "site": lab.site_id(),
        "server": server["id"],
        "configuration": lab.configuration_id(),
        "principal": lab.principal_id(application["appId"]),
        "graph": lab.principal_id("00000003-0000-0000-c000-000000000000"),
        "application": application["id"],
    }
    lab.graph("admin", "DELETE", f"{servers}/{server['id']}")


@pytest.mark.parametrize("case", table("graph.yaml"))
def test_graph(lab: Any, places: dict[str, str], case: dict[str, Any]) -> None:
    method = next(name for name in METHODS if name in case)
    answer = lab.graph(
        case["as"], method.upper(), filled(case[method], places), filled(case.get("body"), places)
    )
    assert answer.status_code == case["status"], answer.text
    if "code" in case:
        error = answer.json()["error"]
        assert error["code"] == case["code"]
        assert case.get("says", "") in error["message"]
        assert error["innerError"]["request-id"] == answer.headers["request-id"]


@pytest.mark.parametrize("case", table("oauth.yaml"))
def test_oauth(lab: Any, case: dict[str, Any]) -> None:
    form = filled(case["form"], {"password": lab.password("admin")})
    answer = lab.oauth(case["to"], form, case.get("tenant", ""))
    document = answer.json()
    assert (answer.status_code, document["error"], document["error_codes"]) == (
        case["status"],
        case["error"],
        [case["number"]],
    )
    assert document["error_description"].startswith(f"AADSTS{case['number']}: ")


def test_bodies_must_be_json(lab: Any) -> None:
    headers = {"Authorization": f"Bearer {lab.token_as('admin')}", "Content-Type": "text/plain"}
    address = f"{lab.description['graph']}/beta/deviceManagement/microsoftTunnelConfigurations"
    plain = lab.session.post(address, data=b"{}", headers=headers, timeout=20)
    headers["Content-Type"] = "application/json"
    broken = lab.session.post(address, data=b"{", headers=headers, timeout=20)
    deep = lab.session.post(address, data=b"[" * 200_000, headers=headers, timeout=20)
    scope = lab.session.post(address, data=b'{"\\ud800": 1}', headers=headers, timeout=20)
    answers = (plain, broken, deep, scope)
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400]
    assert "application/json" in plain.json()["error"]["message"]


def test_tunnel_entities_are_not_in_v1(lab: Any) -> None:
    address = lab.description["graph"] + "/v1.0/deviceManagement/microsoftTunnelSites"
    answer = lab.graph("admin", "GET", address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert lab.graph("admin", "GET", lab.description["graph"] + "/v1.0/me").status_code == 200


def test_501_split_rules_are_one_too_many(lab: Any) -> None:
    routes = [f"10.{n // 256}.{n % 256}.0/24" for n in range(501)]
    body: dict[str, Any] = {"displayName": "many", "network": "169.254.0.0/16"}
    body |= {"routeIncludes": routes[:250], "routeExcludes": routes[250:]}
    path = "/deviceManagement/microsoftTunnelConfigurations"
    refused = lab.graph("admin", "POST", path, body)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["innerError"]["code"], "500" in error["message"]) == ("routes-too-many", True)
    accepted = lab.graph("admin", "POST", path, body | {"routeExcludes": routes[251:]})
    assert accepted.status_code == 201
    assert lab.graph("admin", "DELETE", f"{path}/{accepted.json()['id']}").status_code == 204
