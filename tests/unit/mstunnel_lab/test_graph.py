"""What the lab's Graph does when it is asked rightly."""

import base64
from typing import Any

import pytest

SITES = "/deviceManagement/microsoftTunnelSites"
CONFIGURATIONS = "/deviceManagement/microsoftTunnelConfigurations"


def test_a_configuration_lives(lab: Any) -> None:
    body = {
        "@odata.type": "#microsoft.graph.microsoftTunnelConfiguration",
        "displayName": "Second",
        "network": "10.20.0.0/16",
        "ipv6Network": "fd00:1::/64",
        "routesInclude": ["10.0.0.0/8"],
        "splitDNS": ["corp.lab.example"],
        "advancedSettings": [{"name": "session-timeout", "value": "7200"}],
    }
    created = lab.graph("admin", "POST", CONFIGURATIONS, body)
    assert created.status_code == 201
    document = created.json()
    assert document["routeIncludes"] == document["routesInclude"] == ["10.0.0.0/8"]
    assert (document["listenPort"], document["roleScopeTagIds"]) == (443, ["0"])
    path = f"{CONFIGURATIONS}/{document['id']}"
    changed = lab.graph("admin", "PATCH", path, {"routeIncludes": ["10.1.0.0/16"], "ipv6Network": None})
    assert changed.status_code == 200
    read = lab.graph("admin", "GET", path).json()
    assert read["routesInclude"] == ["10.1.0.0/16"]
    assert read["ipv6Network"] is None
    assert (read["network"], read["splitDNS"]) == ("10.20.0.0/16", ["corp.lab.example"])
    assert read["lastUpdateDateTime"] > document["lastUpdateDateTime"]
    assert lab.graph("admin", "DELETE", path).status_code == 204
    assert lab.graph("admin", "GET", path).status_code == 404


@pytest.mark.parametrize("how", ["nested", "bind"])
def test_a_site_lives(lab: Any, how: str) -> None:
    configuration = lab.configuration_id()
    reference: dict[str, Any] = {"microsoftTunnelConfiguration": {"id": configuration}}
    if how == "bind":
        address = f"{lab.description['graph']}/beta{CONFIGURATIONS}/{configuration}"
        reference = {"microsoftTunnelConfiguration@odata.bind": address}
    window = {"upgradeWindowStartTime": "23:00:00", "upgradeWindowEndTime": "00:00:00"}
    body = {"displayName": f"New {how}", "publicAddress": "new.lab.example", **window, **reference}
    created = lab.graph("admin", "POST", SITES, body)
    assert created.status_code == 201, created.text
    path = f"{SITES}/{created.json()['id']}"
    assert lab.graph("admin", "GET", f"{path}/microsoftTunnelConfiguration").json()["id"] == configuration
    expanded = lab.graph(
        "admin", "GET", f"{path}?$expand=microsoftTunnelConfiguration&$select=displayName"
    ).json()
    assert expanded["microsoftTunnelConfiguration"]["displayName"] == "Main"
    assert set(expanded) == {"@odata.context", "displayName", "microsoftTunnelConfiguration"}
    assert lab.graph("admin", "POST", f"{path}/requestUpgrade").status_code == 204
    changed = lab.graph("admin", "PATCH", path, {"description": "east"}).json()
    assert changed["upgradeWindowStartTime"] == "23:00:00"
    assert changed["labUpgradeRequestedDateTime"]
    assert lab.graph("admin", "DELETE", path).status_code == 204


def test_collections_come_in_pages(lab: Any) -> None:
    path = f"{SITES}?$count=true&$orderby=displayName&$select=displayName"
    first = lab.graph("admin", "GET", path).json()
    assert [site["displayName"] for site in first["value"]] == ["Berlin", "Lima"]
    assert first["@odata.count"] == 3
    second = lab.graph("admin", "GET", first["@odata.nextLink"]).json()
    assert [site["displayName"] for site in second["value"]] == ["Osaka"]
    assert "@odata.nextLink" not in second
    assert len(lab.graph("admin", "GET", f"{SITES}?$top=1").json()["value"]) == 1
    assert lab.graph("admin", "GET", f"{SITES}/$count").text == "3"


def test_a_server_that_an_application_registers_checks_in_with_its_own(lab: Any) -> None:
    path = f"{SITES}/{lab.site_id('Osaka')}/microsoftTunnelServers"
    body = {"displayName": "gw2", "deploymentMode": "standaloneRootful"}
    created = lab.graph("app:other", "POST", path, body).json()
    assert (created["lastCheckinDateTime"], created["tunnelServerHealthStatus"]) == (None, "unknown")
    one = f"{path}/{created['id']}"
    assert lab.graph("app:agent", "PATCH", one, {"displayName": "gw2"}).json()["lastCheckinDateTime"]
    assert lab.graph("app:other", "PATCH", one, {"displayName": "gw2"}).status_code == 403
    assert lab.graph("app:other", "DELETE", one).status_code == 204


def test_a_server_registers_checks_in_and_leaves(lab: Any) -> None:
    site = lab.site_id("Osaka")
    path = f"{SITES}/{site}/microsoftTunnelServers"
    body = {"displayName": "gw1", "deploymentMode": "standaloneRootless"}
    created = lab.graph("intune", "POST", path, body)
    assert created.status_code == 201
    server = created.json()
    assert server["lastCheckinDateTime"] is None
    assert server["tunnelServerHealthStatus"] == "unknown"
    one = f"{path}/{server['id']}"
    health = {"status": "healthy", "serverImageDigest": "sha256:aa", "metrics": {"cpu": 12}}
    seen = lab.graph("app:agent", "PATCH", one, {"displayName": "gw1", "labHealth": health}).json()
    assert seen["lastCheckinDateTime"] is not None
    assert (seen["tunnelServerHealthStatus"], seen["serverImageDigest"]) == ("healthy", "sha256:aa")
    again = lab.graph("app:agent", "PATCH", one, {}).json()
    assert again["lastCheckinDateTime"] > seen["lastCheckinDateTime"]
    assert again["labHealth"]["metrics"] == {"cpu": 12}
    assert lab.graph("app:other", "PATCH", one, {"displayName": "mine"}).status_code == 403
    assert lab.graph("app:other", "DELETE", one).status_code == 403
    renamed = lab.graph("admin", "PATCH", one, {"displayName": "gw-1"}).json()
    assert renamed["lastCheckinDateTime"] == again["lastCheckinDateTime"]
    assert lab.graph("admin", "PATCH", one, {"deploymentMode": "podRootful"}).status_code == 400
    assert lab.graph("admin", "DELETE", f"{SITES}/{site}").status_code == 409
    other_site = f"{SITES}/{lab.site_id('Lima')}/microsoftTunnelServers/{server['id']}"
    assert lab.graph("admin", "GET", other_site).status_code == 404
    assert lab.graph("app:agent", "DELETE", one).status_code == 204
    assert lab.graph("admin", "GET", path).json()["value"] == []


def test_deleting_an_application_ends_its_identity(lab: Any) -> None:
    application = lab.graph("intune", "POST", "/applications", {"displayName": "short-lived"}).json()
    principal = lab.graph("intune", "POST", "/servicePrincipals", {"appId": application["appId"]})
    assert principal.status_code == 201
    again = lab.graph("intune", "POST", "/servicePrincipals", {"appId": application["appId"]})
    assert (again.status_code, again.json()["error"]["code"]) == (
        409,
        "Request_MultipleObjectsWithSameKeyValue",
    )
    assert lab.graph("intune", "DELETE", f"/applications/{application['id']}").status_code == 204
    assert lab.graph("admin", "GET", f"/servicePrincipals/{principal.json()['id']}").status_code == 404
    form = {"grant_type": "client_credentials", "client_id": application["appId"], "client_secret": "x"}
    assert lab.oauth("token", form).json()["error_codes"] == [700016]


def test_an_application_that_owns_itself_can_delete_itself(lab: Any) -> None:
    """What an unattended uninstallation needs: ReadWrite.OwnedBy and the owner reference."""
    found = lab.graph("admin", "GET", "/applications?$filter=displayName eq 'other agent'").json()["value"][0]
    assert lab.graph("app:agent", "DELETE", f"/applications/{found['id']}").status_code == 403
    created = lab.graph("app:agent", "POST", "/applications", {"displayName": "made by an app"}).json()
    owner = {
        "@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{lab.principal_id(found['appId'])}"
    }
    path = f"/applications/{created['id']}"
    assert lab.graph("app:agent", "POST", f"{path}/owners/$ref", owner).status_code == 204
    assert lab.graph("app:agent", "POST", f"{path}/owners/$ref", owner).status_code == 400
    assert lab.graph("app:agent", "DELETE", path).status_code == 204


def test_keys_are_never_shown_and_replaced_as_a_whole(lab: Any, leaf_der: bytes) -> None:
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(leaf_der).decode()}
    created = lab.graph(
        "admin", "POST", "/applications", {"displayName": "keys", "keyCredentials": [key]}
    ).json()
    credential = created["keyCredentials"][0]
    assert credential["key"] is None
    assert credential["keyId"]
    path = f"/applications/{created['id']}"
    kept = {"type": "AsymmetricX509Cert", "usage": "Verify", "keyId": credential["keyId"]}
    assert lab.graph("admin", "PATCH", path, {"keyCredentials": [kept]}).status_code == 204
    assert lab.graph("admin", "GET", path).json()["keyCredentials"] == [credential]
    twice = lab.graph("admin", "PATCH", path, {"keyCredentials": [kept, key]})
    assert (twice.status_code, "twice" in twice.text) == (400, True)
    assert lab.graph("admin", "PATCH", path, {"displayName": "renamed"}).status_code == 204
    assert lab.graph("admin", "GET", path).json()["keyCredentials"] == [credential]
    assert lab.graph("admin", "PATCH", path, {"keyCredentials": []}).status_code == 204
    assert lab.graph("admin", "GET", path).json()["keyCredentials"] == []
    assert lab.graph("admin", "DELETE", path).status_code == 204
