"""Device sign-in in the browser with a second factor, with a refusal, and across tenants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest

from tests.unit.mstunnel_lab.pages import Pages

SCOPE = "https://graph.microsoft.com/DeviceManagementConfiguration.ReadWrite.All"


def client(lab: Any, session: Any, authority: str = "") -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        lab.description["client_id"],
        authority=authority or lab.description["authority"],
        instance_discovery=False,
        http_client=session,
    )


def typed(browser: Pages, code: str, upn: str) -> Any:
    """Type a code and an account into the page; returns the page after the password."""
    users = {user["upn"]: user for user in browser.description["users"]}
    for tenant in browser.description["tenants"]:
        users |= {user["upn"]: user for user in tenant["users"]}
    browser.open("/devicelogin")
    browser.send(code=code)
    return browser.send(upn=upn, password=users[upn]["password"], decision="sign-in")


def test_a_second_factor_is_asked_for(lab: Any, browser: Pages) -> None:
    app = client(lab, browser.session)
    flow = app.initiate_device_flow([SCOPE])
    page = typed(browser, flow["user_code"], "careful@lab.example")
    assert "Verification code" in page.text
    wrong = browser.send(verification_code="000000", decision="sign-in")
    assert (wrong.status, "incorrect" in wrong.text) == (401, True)
    user = next(item for item in lab.description["users"] if item["upn"] == "careful@lab.example")
    assert "Signed in" in browser.send(verification_code=user["mfa_code"], decision="sign-in").text
    found = app.acquire_token_by_device_flow(flow)
    assert found["id_token_claims"]["preferred_username"] == "careful@lab.example"


def test_the_second_factor_is_not_a_way_round_the_password(lab: Any, browser: Pages) -> None:
    flow = client(lab, browser.session).initiate_device_flow([SCOPE])
    user = next(item for item in lab.description["users"] if item["upn"] == "careful@lab.example")
    browser.open("/devicelogin")
    browser.send(code=flow["user_code"])
    forged = f"{2**40}.{'0' * 64}"
    page = browser.send(upn=user["upn"], proof=forged, verification_code=user["mfa_code"])
    assert (page.status, "Please sign in again." in page.text) == (401, True)


def test_a_second_factor_cannot_be_guessed(lab: Any, browser: Pages) -> None:
    flow = client(lab, browser.session).initiate_device_flow([SCOPE])
    typed(browser, flow["user_code"], "careful@lab.example")
    statuses = [browser.send(verification_code=f"99999{n}").status for n in range(6)]
    assert statuses == [401, 401, 401, 401, 401, 400]
    control = lab.description["control"]
    headers = {"Authorization": f"Bearer {control['key']}"}
    address = f"{control['address']}/users/careful@lab.example"
    unlocked = lab.session.patch(address, json={}, headers=headers, timeout=20)
    assert unlocked.status_code == 200


def test_conditional_access_is_reported_on_the_page_and_to_the_device(lab: Any, browser: Pages) -> None:
    app = client(lab, browser.session)
    flow = app.initiate_device_flow([SCOPE])
    page = typed(browser, flow["user_code"], "blocked@lab.example")
    assert (page.status, "AADSTS53003" in page.text) == (403, True)
    found = app.acquire_token_by_device_flow(flow)
    assert (found["error"], found["error_codes"]) == ("invalid_grant", [53003])


def test_the_password_grant_cannot_do_a_second_factor(lab: Any) -> None:
    user = next(item for item in lab.description["users"] if item["upn"] == "careful@lab.example")
    form = {"grant_type": "password", "client_id": lab.description["client_id"], "scope": "User.Read"}
    answer = lab.oauth("token", form | {"username": user["upn"], "password": user["password"]}).json()
    assert (answer["error"], answer["error_codes"]) == ("interaction_required", [50076])


SECOND = """
version: 1
tenant: {name: Other Lab, domain: other.example}
sign_in: {poll_interval: 1}
internal_url: http://10.99.0.11/
users:
  - {upn: olga@other.example, name: Olga, roles: [Intune Administrator], licensed: true}
configurations: [{name: Other, network: 169.254.0.0/16}]
sites: [{name: Oslo, configuration: Other, public_address: oslo.other.example}]
applications:
  - name: setup
    use: setup
    app_id: 11111111-1111-4111-8111-111111111111
    public_client: true
    scopes: [User.Read, DeviceManagementConfiguration.ReadWrite.All]
  - {name: device, use: device, public_client: true, password_grant: true, gateway_access: true}
"""


@pytest.fixture
def two(start_lab: Callable[..., Any], trusting: Any, tmp_path: Path) -> Iterator[Pages]:
    """A browser at a server with two tenants."""
    other = tmp_path / "other.yaml"
    other.write_text(SECOND)
    seeds = ("--seed", str(Path(__file__).with_name("seed.yaml")), "--seed", str(other))
    running = start_lab("--port", "0", *seeds)
    with trusting(running.description["ca_file"]) as session:
        yield Pages(running.description, session)


def sites(pages: Pages, token: str) -> Any:
    address = f"{pages.description['graph']}/beta/deviceManagement/microsoftTunnelSites"
    return pages.session.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def test_a_sign_in_for_any_tenant_ends_in_the_users_own(two: Pages) -> None:
    authority = f"{two.description['graph']}/organizations"
    app = client(two, two.session, authority)
    flow = app.initiate_device_flow([SCOPE])
    assert "Signed in" in typed(two, flow["user_code"], "olga@other.example").text
    found = app.acquire_token_by_device_flow(flow)
    claims = jwt.decode(found["access_token"], options={"verify_signature": False})
    assert claims["tid"] == two.description["tenants"][1]["tenant_id"] != two.description["tenant_id"]
    shown = sites(two, found["access_token"]).json()
    assert [site["displayName"] for site in shown["value"]] == ["Oslo"]
    account = app.get_accounts()[0]
    renewed: Any = app.acquire_token_silent([SCOPE], account, force_refresh=True)
    assert "access_token" in renewed


def test_a_user_of_another_tenant_is_kept_out(two: Pages) -> None:
    app = client(two, two.session)
    flow = app.initiate_device_flow([SCOPE])
    page = typed(two, flow["user_code"], "olga@other.example")
    assert (page.status, "AADSTS50020" in page.text) == (403, True)
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_a_token_of_one_tenant_shows_nothing_of_another(two: Pages) -> None:
    """Its claims cannot be changed to name the other tenant either."""
    first = two.description["tenants"][0]
    form = {"grant_type": "client_credentials", "client_id": "44444444-4444-4444-8444-444444444444"}
    form |= {"client_secret": "a-secret-of-the-agent", "scope": "https://graph.microsoft.com/.default"}
    path = f"{first['authority']}/oauth2/v2.0/token"
    token = two.session.post(path, data=form, timeout=20).json()["access_token"]
    names = [site["displayName"] for site in sites(two, token).json()["value"]]
    assert names == ["Berlin", "Osaka"]
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(
        claims | {"tid": two.description["tenants"][1]["tenant_id"]}, "k" * 32, algorithm="HS256"
    )
    assert sites(two, forged).status_code == 401
    unknown = two.session.post(path.replace(first["tenant_id"], "nowhere.example"), data=form, timeout=20)
    assert unknown.json()["error_codes"] == [90002]


def test_the_admin_center_shows_the_tenant_of_the_user(two: Pages) -> None:
    olga = two.description["tenants"][1]["users"][0]
    two.open("/admin/sites")
    page = two.send(upn=olga["upn"], password=olga["password"])
    assert "Oslo" in page.text
    assert "Berlin" not in page.text
    assert "Other Lab" in page.text


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
