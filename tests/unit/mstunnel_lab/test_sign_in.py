"""Device sign-in and consent, for MSAL, a browser and a user, also across tenants."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest

from mstunnel_lab.entra.sign_in import judge_poll
from mstunnel_lab.records import DeviceCodeRecord, DeviceCodeStatus
from mstunnel_lab.state import FailedAttempts
from tests.unit.clocks import FakeClock
from tests.unit.mstunnel_lab.conftest import APPS, SEED, SITES, agent_form, claims_of, trusting_session
from tests.unit.mstunnel_lab.pages import Pages, require_accessible
from tests.unit.running_lab import LAB

SCOPE = "https://graph.microsoft.com/DeviceManagementConfiguration.ReadWrite.All"
CODE = DeviceCodeRecord(
    id="d", user_code="U", client_id="c", scope="openid", expires_at=1000.0, last_poll=90.0
)


@pytest.mark.parametrize(
    ("status", "now", "error"),
    [
        ("pending", 95.0, "authorization_pending"),
        ("pending", 91.0, "slow_down"),
        ("pending", 1000.0, "expired_token"),
        ("approved", 95.0, None),
        ("approved", 91.0, "slow_down"),
        ("approved", 1000.0, "expired_token"),
        ("declined", 91.0, "authorization_declined"),
        ("redeemed", 95.0, "invalid_grant"),
        ("redeemed", 2000.0, "invalid_grant"),
    ],
)
def test_polling_device_gets_the_state_of_its_code(status: str, now: float, error: str | None) -> None:
    code = CODE.model_copy(update={"status": DeviceCodeStatus(status)})
    refusal = judge_poll(code, now, interval=5)
    assert (refusal.error if refusal else None) == error


def test_account_is_locked_until_its_first_failure_is_old() -> None:
    clock = FakeClock()
    tries = FailedAttempts(3, 600, clock)
    for _ in range(3):
        assert not tries.exhausted("a")
        tries.count("a")
        clock.elapsed += 100
    assert (tries.exhausted("a"), tries.exhausted("b")) == (True, False)
    clock.elapsed = 599
    assert tries.exhausted("a")
    clock.elapsed = 600
    assert not tries.exhausted("a")
    for _ in range(3):
        tries.count("a")
    tries.forget("a")
    assert not tries.exhausted("a")


def client(lab: Any, session: Any, authority: str = "") -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        lab.description["client_id"],
        authority=authority or lab.description["authority"],
        instance_discovery=False,
        http_client=session,
    )


def typed(browser: Pages, code: str, upn: str) -> Any:
    """Enter a code and an account; return the page after the password."""
    tenants = browser.description["tenants"]
    password = next(user["password"] for tenant in tenants for user in tenant["users"] if user["upn"] == upn)
    browser.fill("/devicelogin", code=code)
    return browser.send(upn=upn, password=password, decision="sign-in")


@pytest.fixture
def app(lab: Any, browser: Pages) -> msal.PublicClientApplication:
    return client(lab, browser.session)


@pytest.fixture
def flow(app: msal.PublicClientApplication) -> Any:
    """Return a pending device sign-in."""
    return app.initiate_device_flow([SCOPE])


def test_device_code_from_start_to_silent_renewal(
    lab: Any, process: Any, app: msal.PublicClientApplication, flow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that CA bundles of the environment are not used."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/etc/ssl/certs/ca-certificates.crt")
    assert flow["verification_uri"] == lab.description["device_login"]
    outcome: dict[str, Any] = {}
    waiting = threading.Thread(target=lambda: outcome.update(app.acquire_token_by_device_flow(flow)))
    waiting.start()
    time.sleep(0.3)
    command = [LAB, "approve", flow["user_code"], "--user", "admin@lab.example"]
    subprocess.run([*command, "--dir", str(process.directory)], check=True, timeout=120, capture_output=True)
    waiting.join(20)
    assert outcome["id_token_claims"]["preferred_username"] == "admin@lab.example"
    claims = claims_of(outcome["access_token"])
    assert claims["aud"] == "https://graph.microsoft.com"
    assert "DeviceManagementConfiguration.ReadWrite.All" in claims["scp"].split()
    assert "3a2c62db-5318-420d-8d74-23affee5d9d5" in claims["wids"]
    renewed = app.acquire_token_silent([SCOPE], app.get_accounts()[0], force_refresh=True)
    assert renewed is not None
    assert renewed["access_token"] != outcome["access_token"]


def test_cancelled_sign_in_is_declined(browser: Pages, app: Any, flow: Any) -> None:
    browser.fill("/devicelogin", code=flow["user_code"])
    assert "Cancelled" in browser.send(decision="cancel").text
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_device_code_is_valid_only_for_its_client(lab: Any, flow: Any) -> None:
    form = {"grant_type": "device_code", "client_id": APPS["device"], "device_code": flow["device_code"]}
    assert lab.oauth("token", form).json()["error"] == "bad_verification_code"


def test_wrong_passwords_end_the_sign_in(browser: Pages, flow: Any) -> None:
    browser.fill("/devicelogin", code=flow["user_code"])
    form = {"code": flow["user_code"], "upn": "admin@lab.example", "password": "guess"}
    statuses = [browser.send("/devicelogin/account", **form).status for _ in range(6)]
    assert statuses == [401, 401, 401, 401, 401, 400]


def test_sign_in_pages_have_labels_and_no_scripts(browser: Pages, flow: Any) -> None:
    first = browser.open(f"/devicelogin?otc={flow['user_code']}")
    assert first.fields["code"] == flow["user_code"]
    second = browser.send()
    require_accessible(first)
    require_accessible(second)
    assert "DeviceManagementConfiguration.ReadWrite.All" in second.text


def test_sign_in_cookie_is_for_this_site_and_tls_only(lab: Any, browser: Pages) -> None:
    address = lab.description["device_login"]
    cookie = browser.session.get(address, timeout=20).headers["set-cookie"].lower()
    assert {"secure", "httponly", "samesite=strict"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize("path", ["", "/account"])
def test_cross_site_form_is_refused(lab: Any, flow: Any, path: str) -> None:
    form = {"code": flow["user_code"], "upn": "admin@lab.example", "password": lab.password("admin")}
    form["form_token"] = "0" * 64
    address = lab.description["device_login"]
    with trusting_session(lab.description["ca_file"]) as session:
        without_cookie = session.post(address + path, data=form, timeout=20)
        session.get(address, timeout=20)
        wrong_token = session.post(address + path, data=form, timeout=20)
    assert (without_cookie.status_code, wrong_token.status_code) == (403, 403)


@pytest.mark.parametrize("code", ["*", "%", "", "?"])
def test_wildcards_are_not_device_codes(browser: Pages, flow: Any, code: str) -> None:
    page = browser.fill("/devicelogin", code=code)
    assert page.status == 400
    assert flow["user_code"] not in page.source


def test_submitted_text_is_escaped(browser: Pages) -> None:
    source = browser.open('/devicelogin?otc="><script>x</script>').source
    assert "<script>" not in source
    assert "&lt;script&gt;" in source


def test_style_sheet_is_served(lab: Any) -> None:
    sheet = lab.session.get(lab.description["graph"] + "/lab.css", timeout=20)
    assert sheet.headers["content-type"].startswith("text/css")


def test_second_factor_is_requested(lab: Any, browser: Pages, app: Any, flow: Any) -> None:
    page = typed(browser, flow["user_code"], "careful@lab.example")
    assert "Verification code" in page.text
    wrong = browser.send(verification_code="000000", decision="sign-in")
    assert (wrong.status, "incorrect" in wrong.text) == (401, True)
    code = lab.user("careful")["mfa_code"]
    assert "Signed in" in browser.send(verification_code=code, decision="sign-in").text
    found = app.acquire_token_by_device_flow(flow)
    assert found["id_token_claims"]["preferred_username"] == "careful@lab.example"


def test_second_factor_does_not_replace_the_password(lab: Any, browser: Pages, flow: Any) -> None:
    user = lab.user("careful")
    browser.fill("/devicelogin", code=flow["user_code"])
    forged = f"{2**40}.{'0' * 64}"
    page = browser.send(upn=user["upn"], proof=forged, verification_code=user["mfa_code"])
    assert (page.status, "Please sign in again." in page.text) == (401, True)


def test_a_second_factor_cannot_be_guessed(lab: Any, browser: Pages, flow: Any) -> None:
    typed(browser, flow["user_code"], "careful@lab.example")
    statuses = [browser.send(verification_code=f"99999{n}").status for n in range(6)]
    assert statuses == [401, 401, 401, 401, 401, 400]
    assert lab.control("PATCH", "users/careful@lab.example", {}).status_code == 200  # unlocked again


def test_conditional_access_is_reported_to_page_and_device(browser: Pages, app: Any, flow: Any) -> None:
    page = typed(browser, flow["user_code"], "blocked@lab.example")
    assert (page.status, "AADSTS53003" in page.text) == (403, True)
    found = app.acquire_token_by_device_flow(flow)
    assert (found["error"], found["error_codes"]) == ("invalid_grant", [53003])


def test_password_grant_is_refused_with_a_second_factor(lab: Any) -> None:
    answer = lab.oauth("token", lab.password_form("careful")).json()
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
def two(start_lab: Callable[..., Any], tmp_path: Path) -> Iterator[Pages]:
    """Yield a browser at a server with two tenants."""
    other = tmp_path / "other.yaml"
    other.write_text(SECOND)
    running = start_lab("--seed", SEED, "--seed", str(other))
    with trusting_session(running.description["ca_file"]) as session:
        yield Pages(running.description, session)


def sites(pages: Pages, token: str) -> Any:
    address = f"{pages.description['graph']}/beta{SITES}"
    return pages.session.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def test_sign_in_for_any_tenant_uses_that_of_the_user(two: Pages) -> None:
    app = client(two, two.session, f"{two.description['graph']}/organizations")
    flow = app.initiate_device_flow([SCOPE])
    assert "Signed in" in typed(two, flow["user_code"], "olga@other.example").text
    found = app.acquire_token_by_device_flow(flow)
    claims = claims_of(found["access_token"])
    assert claims["tid"] == two.description["tenants"][1]["tenant_id"] != two.description["tenant_id"]
    shown = sites(two, found["access_token"]).json()
    assert [site["displayName"] for site in shown["value"]] == ["Oslo"]
    renewed: Any = app.acquire_token_silent([SCOPE], app.get_accounts()[0], force_refresh=True)
    assert "access_token" in renewed


def test_user_of_another_tenant_is_refused(two: Pages) -> None:
    app = client(two, two.session)
    flow = app.initiate_device_flow([SCOPE])
    page = typed(two, flow["user_code"], "olga@other.example")
    assert (page.status, "AADSTS50020" in page.text) == (403, True)
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_token_gives_no_access_to_another_tenant(two: Pages) -> None:
    """Check that changed claims cannot name the other tenant either."""
    first, second = two.description["tenants"]
    path, form = f"{first['authority']}/oauth2/v2.0/token", agent_form()
    token = two.session.post(path, data=form, timeout=20).json()["access_token"]
    assert [site["displayName"] for site in sites(two, token).json()["value"]] == ["Berlin", "Osaka"]
    claims = claims_of(token)
    forged = jwt.encode(claims | {"tid": second["tenant_id"]}, "k" * 32, algorithm="HS256")
    assert sites(two, forged).status_code == 401
    unknown = two.session.post(path.replace(first["tenant_id"], "nowhere.example"), data=form, timeout=20)
    assert unknown.json()["error_codes"] == [90002]


def test_the_admin_center_shows_the_tenant_of_the_user(two: Pages) -> None:
    olga = two.description["tenants"][1]["users"][0]
    page = two.fill("/admin/sites", upn=olga["upn"], password=olga["password"])
    assert "Oslo" in page.text
    assert "Berlin" not in page.text
    assert "Other Lab" in page.text


GRAPH = "00000003-0000-0000-c000-000000000000"
ROLE = "9241abd9-d0e6-425a-bd4f-47ba86e767a4"


@pytest.fixture
def application(lab: Any) -> Any:
    """Return an application registered by a user who may not grant its permission."""
    wanted = [{"resourceAppId": GRAPH, "resourceAccess": [{"id": ROLE, "type": "Role"}]}]
    body = {"displayName": "Waiting gateway", "requiredResourceAccess": wanted}
    made = lab.create("/applications", body, "intune")
    principal = lab.create("/servicePrincipals", {"appId": made["appId"]}, "intune")
    path = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    grant = {"principalId": principal["id"], "resourceId": lab.principal_id(GRAPH), "appRoleId": ROLE}
    assert lab.status("intune", "POST", path, grant) == 403
    page = f"/{lab.description['tenant_id']}/adminconsent?client_id={made['appId']}"
    return {**made, "grants": path, "page": page}


def granted(lab: Any, application: Any) -> list[str]:
    return [item["appRoleId"] for item in lab.read(application["grants"])["value"]]


def test_administrator_with_the_role_can_consent(lab: Any, browser: Pages, application: Any) -> None:
    path = application["page"]
    page = browser.fill(path, upn="admin@lab.example", password=lab.password("admin"))
    assert page.address.endswith(path)
    assert "DeviceManagementConfiguration.ReadWrite.All" in page.text
    assert granted(lab, application) == []
    assert "Consent given" in browser.send(decision="accept").text
    assert granted(lab, application) == [ROLE]
    browser.fill(path, decision="accept")
    assert granted(lab, application) == [ROLE]


def test_user_without_the_role_cannot_consent(lab: Any, browser: Pages, application: Any) -> None:
    page = browser.fill(application["page"], upn="intune@lab.example", password=lab.password("intune"))
    assert (page.status, "AADSTS90094" in page.text) == (403, True)
    assert browser.send(application["page"], decision="accept").status == 403
    assert granted(lab, application) == []


@pytest.mark.parametrize("change", [{"decision": "cancel"}, {"decision": "accept", "form_token": "0" * 64}])
def test_cancelled_or_forged_consent_grants_nothing(
    lab: Any, browser: Pages, application: Any, change: dict[str, str]
) -> None:
    browser.fill(application["page"], upn="admin@lab.example", password=lab.password("admin"))
    browser.send(**change)
    assert granted(lab, application) == []


def test_consent_for_an_unknown_application_is_refused(lab: Any, browser: Pages) -> None:
    path = f"/{lab.description['tenant_id']}/adminconsent?client_id=nothing"
    page = browser.fill(path, upn="admin@lab.example", password=lab.password("admin"))
    assert (page.status, "AADSTS700016" in page.text) == (400, True)
