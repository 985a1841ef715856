"""Two administrators: one may register an application, the other may consent to what it asks for."""

from typing import Any

import pytest

from tests.unit.mstunnel_lab.pages import Pages

GRAPH = "00000003-0000-0000-c000-000000000000"
ROLE = "9241abd9-d0e6-425a-bd4f-47ba86e767a4"


@pytest.fixture
def application(lab: Any) -> Any:
    """Registered by a user who may not grant it its permission."""
    access = [{"id": ROLE, "type": "Role"}]
    body = {
        "displayName": "Waiting gateway",
        "requiredResourceAccess": [{"resourceAppId": GRAPH, "resourceAccess": access}],
    }
    made = lab.graph("intune", "POST", "/applications", body).json()
    principal = lab.graph("intune", "POST", "/servicePrincipals", {"appId": made["appId"]}).json()
    path = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    grant = {"principalId": principal["id"], "resourceId": lab.principal_id(GRAPH), "appRoleId": ROLE}
    assert lab.graph("intune", "POST", path, grant).status_code == 403
    return {**made, "grants": path}


def address(lab: Any, application: Any) -> str:
    return f"/{lab.description['tenant_id']}/adminconsent?client_id={application['appId']}"


def granted(lab: Any, application: Any) -> list[str]:
    return [item["appRoleId"] for item in lab.graph("admin", "GET", application["grants"]).json()["value"]]


def signed_in(browser: Pages, lab: Any, path: str, name: str) -> Any:
    browser.open(path)
    return browser.send(upn=f"{name}@lab.example", password=lab.password(name))


def test_consent_by_an_administrator_who_may(lab: Any, browser: Pages, application: Any) -> None:
    page = signed_in(browser, lab, address(lab, application), "admin")
    assert page.address.endswith(address(lab, application))
    assert "DeviceManagementConfiguration.ReadWrite.All" in page.text
    assert granted(lab, application) == []
    assert "Consent given" in browser.send(decision="accept").text
    assert granted(lab, application) == [ROLE]
    browser.open(address(lab, application))
    browser.send(decision="accept")
    assert granted(lab, application) == [ROLE]


def test_no_consent_by_one_who_may_not(lab: Any, browser: Pages, application: Any) -> None:
    page = signed_in(browser, lab, address(lab, application), "intune")
    assert (page.status, "AADSTS90094" in page.text) == (403, True)
    forced = browser.send(address(lab, application), decision="accept")
    assert forced.status == 403
    assert granted(lab, application) == []


@pytest.mark.parametrize("change", [{"decision": "cancel"}, {"decision": "accept", "form_token": "0" * 64}])
def test_cancelled_or_forged(lab: Any, browser: Pages, application: Any, change: dict[str, str]) -> None:
    signed_in(browser, lab, address(lab, application), "admin")
    browser.send(**change)
    assert granted(lab, application) == []


def test_an_unknown_application(lab: Any, browser: Pages) -> None:
    path = f"/{lab.description['tenant_id']}/adminconsent?client_id=nothing"
    page = signed_in(browser, lab, path, "admin")
    assert (page.status, "AADSTS700016" in page.text) == (400, True)
