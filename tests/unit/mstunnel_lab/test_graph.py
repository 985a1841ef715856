"""The lab's Graph accepts valid requests, and refuses what Graph and Entra refuse."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from ruamel.yaml import YAML

from mstunnel_lab.pki import self_signed
from tests.cases import every
from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS, SITES

CASES = Path(__file__).parent / "cases"
METHODS = ("get", "post", "patch", "delete")


def test_configuration_is_created_changed_and_deleted(lab: Any) -> None:
    body = {
        "@odata.type": "#microsoft.graph.microsoftTunnelConfiguration",
        "displayName": "Second",
        "network": "10.20.0.0/16",
        "ipv6Network": "fd00:1::/64",
        "routesInclude": ["10.0.0.0/8"],
        "splitDNS": ["corp.lab.example"],
        "advancedSettings": [{"name": "session-timeout", "value": "7200"}],
    }
    document = lab.create(CONFIGURATIONS, body)
    assert document["routeIncludes"] == document["routesInclude"] == ["10.0.0.0/8"]
    assert (document["listenPort"], document["roleScopeTagIds"]) == (443, ["0"])
    path = f"{CONFIGURATIONS}/{document['id']}"
    changes = {"routeIncludes": ["10.1.0.0/16"], "ipv6Network": None}
    assert lab.status("admin", "PATCH", path, changes) == 200
    read = lab.read(path)
    assert (read["routesInclude"], read["ipv6Network"]) == (["10.1.0.0/16"], None)
    assert (read["network"], read["splitDNS"]) == ("10.20.0.0/16", ["corp.lab.example"])
    assert read["lastUpdateDateTime"] > document["lastUpdateDateTime"]
    assert [lab.status("admin", method, path) for method in ("DELETE", "GET")] == [204, 404]


@pytest.mark.parametrize("how", ["nested", "bind"])
def test_site_is_created_changed_and_deleted(lab: Any, how: str) -> None:
    configuration = lab.configuration_id()
    reference: dict[str, Any] = {"microsoftTunnelConfiguration": {"id": configuration}}
    if how == "bind":
        address = f"{lab.description['graph']}/beta{CONFIGURATIONS}/{configuration}"
        reference = {"microsoftTunnelConfiguration@odata.bind": address}
    window = {"upgradeWindowStartTime": "23:00:00", "upgradeWindowEndTime": "00:00:00"}
    body = {"displayName": f"New {how}", "publicAddress": "new.lab.example", **window, **reference}
    path = f"{SITES}/{lab.create(SITES, body)['id']}"
    assert lab.read(f"{path}/microsoftTunnelConfiguration")["id"] == configuration
    expanded = lab.read(f"{path}?$expand=microsoftTunnelConfiguration&$select=displayName")
    assert expanded["microsoftTunnelConfiguration"]["displayName"] == "Main"
    assert set(expanded) == {"@odata.context", "displayName", "microsoftTunnelConfiguration"}
    assert lab.status("admin", "POST", f"{path}/requestUpgrade") == 204
    changed = lab.graph("admin", "PATCH", path, {"description": "east"}).json()
    assert changed["upgradeWindowStartTime"] == "23:00:00"
    assert lab.status("admin", "DELETE", path) == 204


def test_collections_are_paged(lab: Any) -> None:
    first = lab.read(f"{SITES}?$count=true&$orderby=displayName&$select=displayName")
    assert [site["displayName"] for site in first["value"]] == ["Berlin", "Lima"]
    assert first["@odata.count"] == 3
    second = lab.read(first["@odata.nextLink"])
    assert [site["displayName"] for site in second["value"]] == ["Osaka"]
    assert "@odata.nextLink" not in second
    assert len(lab.read(f"{SITES}?$top=1")["value"]) == 1
    assert lab.graph("admin", "GET", f"{SITES}/$count").text == "3"


def test_groups_are_found_by_name_and_by_several_ids(lab: Any) -> None:
    def names(condition: str) -> list[str]:
        return [item["displayName"] for item in lab.read(f"/groups?$filter={condition}")["value"]]

    assert names("displayName eq 'field WORKERS'") == ["Field workers"]
    assert names("displayName eq 'O''Brien'") == ["O'Brien"]
    ids = "'11111111-2222-3333-4444-555555555555', '0b000000-2222-3333-4444-555555555555'"
    assert names(f"id in ({ids})") == ["Field workers", "O'Brien"]
    many = ",".join(["'11111111-2222-3333-4444-555555555555'"] * 16)
    assert lab.status("admin", "GET", f"/groups?$filter=id in ({many})") == 400


def test_only_the_registered_application_checks_a_server_in(lab: Any) -> None:
    path = f"{SITES}/{lab.site_id('Osaka')}/microsoftTunnelServers"
    body = {"displayName": "gw2", "deploymentMode": "standaloneRootful"}
    created = lab.create(path, body, "app:other")
    assert (created["lastCheckinDateTime"], created["tunnelServerHealthStatus"]) == (None, "unknown")
    one = f"{path}/{created['id']}"
    assert lab.graph("app:agent", "PATCH", one, {"displayName": "gw2"}).json()["lastCheckinDateTime"]
    assert lab.status("app:other", "PATCH", one, {"displayName": "gw2"}) == 403
    assert lab.status("app:other", "DELETE", one) == 204


def test_server_registers_checks_in_and_is_deleted(lab: Any) -> None:
    site = f"{SITES}/{lab.site_id('Osaka')}"
    path = f"{site}/microsoftTunnelServers"
    body = {"displayName": "gw1", "deploymentMode": "standaloneRootless"}
    server = lab.create(path, body, "intune")
    assert (server["lastCheckinDateTime"], server["tunnelServerHealthStatus"]) == (None, "unknown")
    one = f"{path}/{server['id']}"
    seen = lab.graph("app:agent", "PATCH", one, {"displayName": "gw1"}).json()
    assert seen["lastCheckinDateTime"] is not None
    assert (seen["tunnelServerHealthStatus"], seen["serverImageDigest"]) == ("unknown", None)
    health = {"status": "healthy", "server_image_digest": "sha256:aa", "metrics": {"cpu": 12}}
    assert lab.control("PATCH", f"servers/{server['id']}", health).status_code == 200
    again = lab.graph("app:agent", "PATCH", one, {}).json()
    assert again["lastCheckinDateTime"] > seen["lastCheckinDateTime"]
    assert (again["tunnelServerHealthStatus"], again["serverImageDigest"]) == ("healthy", "sha256:aa")
    assert set(again) - {"@odata.context"} == {
        *("id", "displayName", "deploymentMode", "tunnelServerHealthStatus", "lastCheckinDateTime"),
        *("serverImageDigest", "agentImageDigest"),
    }
    renamed = lab.graph("admin", "PATCH", one, {"displayName": "gw-1"}).json()
    assert renamed["lastCheckinDateTime"] == again["lastCheckinDateTime"]
    elsewhere = f"{SITES}/{lab.site_id('Lima')}/microsoftTunnelServers/{server['id']}"
    for who, method, place, change, status in (
        ("app:other", "PATCH", one, {"displayName": "mine"}, 403),
        ("app:other", "DELETE", one, None, 403),
        ("admin", "PATCH", one, {"deploymentMode": "podRootful"}, 400),
        ("admin", "DELETE", site, None, 409),
        ("admin", "GET", elsewhere, None, 404),
        ("app:agent", "DELETE", one, None, 204),
    ):
        assert lab.status(who, method, place, change) == status
    assert lab.read(path)["value"] == []


def test_deleted_application_loses_its_identity(lab: Any) -> None:
    application = lab.create("/applications", {"displayName": "short-lived"}, "intune")
    body = {"appId": application["appId"]}
    principal = lab.create("/servicePrincipals", body, "intune")
    again = lab.graph("intune", "POST", "/servicePrincipals", body)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "Request_MultipleObjectsWithSameKeyValue"
    assert lab.status("intune", "DELETE", f"/applications/{application['id']}") == 204
    assert lab.status("admin", "GET", f"/servicePrincipals/{principal['id']}") == 404
    form = {"grant_type": "client_credentials", "client_id": application["appId"], "client_secret": "x"}
    assert lab.oauth("token", form).json()["error_codes"] == [700016]


def test_an_application_that_owns_itself_can_delete_itself(lab: Any) -> None:
    """Check the rights of an unattended uninstallation: ReadWrite.OwnedBy and the owner reference."""
    found = lab.read("/applications?$filter=displayName eq 'other agent'")["value"][0]
    assert lab.status("app:agent", "DELETE", f"/applications/{found['id']}") == 403
    created = lab.create("/applications", {"displayName": "made by an app"}, "app:agent")
    objects = "https://graph.microsoft.com/v1.0/directoryObjects"
    owner = {"@odata.id": f"{objects}/{lab.principal_id(found['appId'])}"}
    path = f"/applications/{created['id']}"
    assert [lab.status("app:agent", "POST", f"{path}/owners/$ref", owner) for _ in "12"] == [204, 400]
    assert lab.status("app:agent", "DELETE", path) == 204


def test_keys_are_hidden_and_replaced_together(lab: Any) -> None:
    kind = {"type": "AsymmetricX509Cert", "usage": "Verify"}
    certificate = self_signed(rsa.generate_private_key(65537, 2048), "leaf")
    key = {**kind, "key": base64.b64encode(certificate).decode()}
    created = lab.create("/applications", {"displayName": "keys", "keyCredentials": [key]})
    credential = created["keyCredentials"][0]
    assert credential["key"] is None
    assert credential["keyId"]
    path, kept = f"/applications/{created['id']}", {**kind, "keyId": credential["keyId"]}
    twice = lab.graph("admin", "PATCH", path, {"keyCredentials": [kept, key]})
    assert (twice.status_code, "twice" in twice.text) == (400, True)
    for change, stored in (
        ({"keyCredentials": [kept]}, [credential]),
        ({"displayName": "renamed"}, [credential]),
        ({"keyCredentials": []}, []),
    ):
        assert lab.status("admin", "PATCH", path, change) == 204
        assert lab.read(path)["keyCredentials"] == stored
    assert lab.status("admin", "DELETE", path) == 204


def table(name: str) -> list[Any]:
    cases: list[Any] = YAML(typ="safe").load((CASES / name).read_text())
    return cases


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
    application = lab.read("/applications?$filter=displayName eq 'agent'")["value"][0]
    servers = f"{SITES}/{lab.site_id()}/microsoftTunnelServers"
    server = lab.create(servers, {"displayName": "judged"})["id"]
    yield {
        "site": lab.site_id(),
        "server": server,
        "configuration": lab.configuration_id(),
        "principal": lab.principal_id(application["appId"]),
        "graph": lab.principal_id("00000003-0000-0000-c000-000000000000"),
        "application": application["id"],
    }
    lab.graph("admin", "DELETE", f"{servers}/{server}")


@every("case", table("graph.yaml"))
def test_graph_responds_as_expected(lab: Any, places: dict[str, str], case: dict[str, Any]) -> None:
    method = next(name for name in METHODS if name in case)
    path, body = filled(case[method], places), filled(case.get("body"), places)
    answer = lab.graph(case["as"], method.upper(), path, body)
    assert answer.status_code == case["status"], answer.text
    if "code" in case:
        error = answer.json()["error"]
        assert error["code"] == case["code"]
        assert case.get("says", "") in error["message"]
        assert error["innerError"]["request-id"] == answer.headers["request-id"]


@every("case", table("oauth.yaml"))
def test_token_endpoint_refuses_as_expected(lab: Any, case: dict[str, Any]) -> None:
    form = filled(case["form"], {"password": lab.password("admin")})
    answer = lab.oauth(case["to"], form, case.get("tenant", ""))
    document = answer.json()
    found = (answer.status_code, document["error"], document["error_codes"])
    assert found == (case["status"], case["error"], [case["number"]])
    assert document["error_description"].startswith(f"AADSTS{case['number']}: ")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"{}"),
        ("application/json", b"{"),
        ("application/json", b"[" * 200_000),
        ("application/json", b'{"\\ud800": 1}'),
    ],
)
def test_bodies_must_be_json(lab: Any, kind: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {lab.token_as('admin')}", "Content-Type": kind}
    address = f"{lab.description['graph']}/beta{CONFIGURATIONS}"
    answer = lab.session.post(address, data=body, headers=headers, timeout=20)
    assert answer.status_code == 400
    assert kind != "text/plain" or "application/json" in answer.json()["error"]["message"]


def test_tunnel_entities_are_not_in_v1(lab: Any) -> None:
    answer = lab.graph("admin", "GET", f"{lab.description['graph']}/v1.0{SITES}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert lab.status("admin", "GET", f"{lab.description['graph']}/v1.0/me") == 200


def test_501_split_rules_are_one_too_many(lab: Any) -> None:
    routes = [f"10.{n // 256}.{n % 256}.0/24" for n in range(501)]
    body: dict[str, Any] = {"displayName": "many", "network": "169.254.0.0/16"}
    body |= {"routeIncludes": routes[:250], "routeExcludes": routes[250:]}
    refused = lab.graph("admin", "POST", CONFIGURATIONS, body)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["innerError"]["code"], "500" in error["message"]) == ("routes-too-many", True)
    accepted = lab.create(CONFIGURATIONS, body | {"routeExcludes": routes[251:]})
    assert lab.status("admin", "DELETE", f"{CONFIGURATIONS}/{accepted['id']}") == 204
