"""Attacks on the lab: by strangers at its pages, and by administrators of one role who want another."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
import requests
from jwt.utils import base64url_encode
from requests.cookies import RequestsCookieJar

from tests.attack.record import record
from tests.unit.mstunnel_lab.conftest import LabClient, trusting_session
from tests.unit.mstunnel_lab.pages import Pages
from tests.unit.running_lab import start_lab

SEED = Path(__file__).parents[1] / "unit/mstunnel_lab/seed.yaml"
ADMIN = "admin@lab.example"
CAREFUL = "careful@lab.example"
FORM_COOKIE, SESSION_COOKIE = "__Host-lab-form", "__Host-lab-session"
INTUNE = "/deviceManagement"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabClient]:
    running = start_lab(tmp_path_factory.mktemp("attack") / "lab", "--port", "0", "--seed", str(SEED))
    with trusting_session(running.description["ca_file"]) as session:
        yield LabClient(running.description, session)
    assert running.stop(15) == 0
    assert running.errors == ""


@pytest.fixture
def browser(lab: LabClient) -> Iterator[Pages]:
    with trusting_session(lab.description["ca_file"]) as session:
        yield Pages(lab.description, session)


def cookies(**given: str) -> dict[str, str]:
    names = {"form": FORM_COOKIE, "session": SESSION_COOKIE}
    return {"Cookie": "; ".join(f'{names[name]}="{value}"' for name, value in given.items())}


def printed_token(lab: LabClient, **given: str) -> str:
    """What the sign-in page prints into its form for a browser with these cookies."""
    page = lab.session.get(f"{base(lab)}/admin/sign-in", headers=cookies(**given), timeout=20)
    return str(re.search(r'name="form_token" value="([^"]*)"', page.text)[1])  # type: ignore[index]


def base(lab: LabClient) -> str:
    return str(lab.description["graph"])


def user(lab: LabClient, upn: str) -> Any:
    return next(item for item in lab.description["users"] if item["upn"] == upn)


def claim(lab: LabClient, name: str, who: str) -> str:
    return str(jwt.decode(lab.user_token(who), options={"verify_signature": False})[name])


def try_proof(lab: LabClient, proof: str, code: str = "", upn: str = ADMIN) -> requests.Response:
    form = {"form_token": printed_token(lab, form="X"), "upn": upn, "proof": proof, "verification_code": code}
    return lab.session.post(
        f"{base(lab)}/admin/sign-in", form, headers=cookies(form="X"), allow_redirects=False, timeout=20
    )


def test_a_page_does_not_print_the_proof_of_a_password(lab: LabClient) -> None:
    """The token of a form is a signature over cookies, which are the caller's to choose."""
    identifier, until = claim(lab, "oid", "admin"), int(time.time()) + 200
    for spelled in (f"X {identifier} {until}", f"X{identifier}{until}", f"{identifier}"):
        printed = printed_token(lab, form="password", session=spelled)
        answer = try_proof(lab, f"{until}.{printed}")
        assert (answer.status_code, SESSION_COOKIE in answer.cookies) == (401, False)
    record("tenant", "use the token of a form as proof of an administrator's password", "refused (401)")


def test_no_two_sets_of_cookies_share_a_form_token(lab: LabClient) -> None:
    tokens = {
        printed_token(lab, form="a b", session="c"),
        printed_token(lab, form="a", session="b c"),
        printed_token(lab, form="ab", session="c"),
        printed_token(lab, form="a", session="bc"),
    }
    assert len(tokens) == 4
    record("tenant", "shift text from one cookie to another to reuse a form token", "another token")


@pytest.mark.parametrize("until", ["²", "٣", "9" * 5000, "-1", "1e9", "", "0", str(2**62)])
def test_no_time_in_a_proof_or_an_address_breaks_the_server(lab: LabClient, until: str) -> None:
    assert try_proof(lab, f"{until}.{'0' * 64}").status_code == 401
    address = f"{base(lab)}/lab/logs/{lab.description['tenant_id']}/{uuid4()}"
    answer = lab.session.get(address, params={"until": until, "signature": "é"}, timeout=20)
    assert answer.status_code == 404
    record("tenant", f"time {until[:6]!r} in a proof of a password and a log address", "refused (401, 404)")


def test_an_empty_verification_code_is_none(lab: LabClient, browser: Pages) -> None:
    """An account whose second factor was switched off in between does not come in with none."""
    browser.open("/admin/sign-in")
    browser.send(upn=CAREFUL, password=user(lab, CAREFUL)["password"])
    assert "proof" in browser.page.fields
    assert browser.send(verification_code="").status == 401
    change(lab, CAREFUL, mfa_code="")
    form = {"upn": CAREFUL, "proof": browser.page.fields["proof"], "verification_code": ""}
    assert browser.send(**form).status == 401
    change(lab, CAREFUL, mfa_code=user(lab, CAREFUL)["mfa_code"])
    record("tenant", "sign in with an empty verification code", "refused (401)")


def change(lab: LabClient, upn: str, **changes: object) -> None:
    control = lab.description["control"]
    headers = {"Authorization": f"Bearer {control['key']}"}
    answer = lab.session.patch(f"{control['address']}/users/{upn}", json=changes, headers=headers, timeout=20)
    assert answer.status_code == 200


def test_a_proof_of_one_browser_is_none_in_another(lab: LabClient, browser: Pages) -> None:
    browser.open("/admin/sign-in")
    browser.send(upn=CAREFUL, password=user(lab, CAREFUL)["password"])
    stolen = browser.page.fields["proof"]
    assert try_proof(lab, stolen, user(lab, CAREFUL)["mfa_code"], CAREFUL).status_code == 401
    record("tenant", "use the proof of a password from another browser", "refused (401)")


def attempt(browser: Pages, upn: str, password: str) -> tuple[int, str]:
    browser.open("/admin/sign-in")
    page = browser.send(upn=upn, password=password)
    alert = re.search(r'role="alert">([^<]*)', page.source)
    return page.status, alert[1] if alert else ""


def test_passwords_and_names_cannot_be_guessed(lab: LabClient, browser: Pages) -> None:
    """What is said of a name that exists is said of one that does not, locked or not."""
    known = [attempt(browser, ADMIN, f"guess {n}") for n in range(12)]
    unknown = [attempt(browser, "stranger@lab.example", f"guess {n}") for n in range(12)]
    assert known == unknown
    assert "AADSTS50053" in known[-1][1]
    assert attempt(browser, ADMIN, lab.password("admin"))[0] == 401
    form = {"grant_type": "password", "client_id": lab.description["client_id"], "scope": "User.Read"}
    answer = lab.oauth("token", form | {"username": ADMIN, "password": lab.password("admin")})
    assert answer.json()["error_codes"] == [50053]
    change(lab, ADMIN)
    assert attempt(browser, ADMIN, lab.password("admin"))[0] == 200
    record("tenant", "guess the password of an account", "locked after 10 wrong ones (AADSTS50053)")
    record("tenant", "tell accounts that exist from others", "the same answers")


def test_verification_codes_cannot_be_guessed(lab: LabClient, browser: Pages) -> None:
    """Signing in afresh does not give five more tries."""
    password, code = user(lab, CAREFUL)["password"], user(lab, CAREFUL)["mfa_code"]
    wrong = [f"{n:06}" for n in range(12) if f"{n:06}" != code][:5]
    for guess in wrong:
        browser.open("/admin/sign-in")
        browser.send(upn=CAREFUL, password=password)
        assert browser.send(verification_code=guess).status == 401
    browser.open("/admin/sign-in")
    browser.send(upn=CAREFUL, password=password)
    page = browser.send(verification_code=code)
    assert (page.status, "AADSTS50053" in page.text) == (401, True)
    change(lab, CAREFUL)
    record("tenant", "guess a verification code, with the right password", "locked after 5 wrong ones")


def test_a_device_code_gives_tokens_once(lab: LabClient, browser: Pages) -> None:
    client = {"client_id": lab.description["client_id"]}
    flow = lab.oauth("devicecode", client | {"scope": "User.Read"}).json()
    browser.open("/devicelogin")
    browser.send(code=flow["user_code"])
    browser.send(upn=ADMIN, password=lab.password("admin"), decision="sign-in")
    grant = client | {"grant_type": "device_code", "device_code": flow["device_code"]}
    assert [lab.oauth("token", grant).status_code for _ in range(2)] == [200, 400]
    stolen = grant | {"client_id": "22222222-2222-4222-8222-222222222222"}
    assert lab.oauth("token", stolen).status_code == 400
    record("tenant", "redeem a device code twice, or as another application", "refused (400)")


def posting_paths() -> list[str]:
    from mstunnel_lab.app import PAGES  # noqa: PLC0415 (starlette is slow to import)

    identifier = str(uuid4())
    paths = [route.path for route in PAGES if "POST" in (route.methods or ())]
    return [re.sub(r"\{[^}]*\}", identifier, path) for path in paths]


def test_every_form_refuses_a_post_from_another_site(lab: LabClient, browser: Pages) -> None:
    browser.sign_in(ADMIN)
    tenant, client = lab.description["tenant_id"], lab.description["client_id"]
    for path in posting_paths():
        address = path.replace(path.split("/")[1], tenant) if "adminconsent" in path else path
        answer = browser.session.post(
            f"{browser.base}{address}?client_id={client}",
            {"decision": "accept", "form_token": "0" * 64},
            allow_redirects=False,
            timeout=120,
        )
        assert (path, answer.status_code) == (path, 403)
    assert browser.open("/admin/servers").status == 200
    assert "Sign out" in browser.page.text
    record("tenant", "post to every form from another site", "refused (403), the session stays")


def test_a_session_chosen_by_the_attacker_is_never_the_victims(lab: LabClient) -> None:
    token = printed_token(lab, form="planted", session="planted")
    form = {"form_token": token, "upn": ADMIN, "password": lab.password("admin")}
    headers = cookies(form="planted", session="planted")
    answer = lab.session.post(
        f"{base(lab)}/admin/sign-in", form, headers=headers, allow_redirects=False, timeout=20
    )
    assert answer.status_code == 303
    assert answer.cookies[SESSION_COOKIE] != "planted"
    shown = RequestsCookieJar()
    inside = lab.session.get(
        f"{base(lab)}/admin/servers", headers=headers, cookies=shown, allow_redirects=False, timeout=20
    )
    lab.session.cookies.clear()
    assert inside.status_code in {200, 303}
    with trusting_session(lab.description["ca_file"]) as stranger:
        outside = stranger.get(
            f"{base(lab)}/admin/servers", headers=headers, allow_redirects=False, timeout=20
        )
    assert outside.headers["location"].startswith("/admin/sign-in")
    record("tenant", "plant a session before an administrator signs in", "a new session is made")


def test_cookies_are_limited_to_this_server_and_its_pages(lab: LabClient, browser: Pages) -> None:
    browser.open("/admin/sign-in")
    form = browser.page.fields | {"upn": ADMIN, "password": lab.password("admin")}
    answer = browser.session.post(f"{browser.base}/admin/sign-in", form, allow_redirects=False, timeout=20)
    for line in answer.raw.headers.getlist("set-cookie"):
        assert line.startswith("__Host-")
        assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(line.split("; "))
    record("tenant", "read or plant the cookies of the pages", "__Host-, HttpOnly, Secure, SameSite=strict")


@pytest.mark.parametrize(
    "following",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/admin\r\nSet-Cookie: a=b", "/a//evil"],
)
def test_a_sign_in_leads_nowhere_else(lab: LabClient, browser: Pages, following: str) -> None:
    browser.open("/admin/sign-in")
    form = browser.page.fields | {"upn": ADMIN, "password": lab.password("admin"), "next": following}
    answer = browser.session.post(f"{browser.base}/admin/sign-in", form, allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    record("tenant", f"redirect a sign-in to {following!r}", "leads to /admin")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/admin/sign-in", "application/x-www-form-urlencoded"),
        ("/devicelogin", "application/x-www-form-urlencoded"),
        ("/common/oauth2/v2.0/token", "application/x-www-form-urlencoded"),
        ("/lab/control/faults", "application/json"),
        ("/beta/applications", "application/json"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_no_request_fills_the_memory(lab: LabClient, path: str, kind: str, chunked: bool) -> None:
    piece = b"a" * (1 << 20)
    body: Any = iter([piece] * 8) if chunked else piece * 8
    headers = {"Content-Type": kind, "Authorization": f"Bearer {lab.user_token('admin')}"}
    try:
        answer = lab.session.post(f"{base(lab)}{path}", data=body, headers=headers, timeout=20)
        assert answer.status_code in {401, 413}
    except requests.ConnectionError:
        pass  # it hung up before all was sent
    assert lab.session.get(f"{base(lab)}/devicelogin", timeout=20).status_code == 200
    record("tenant", f"8 MiB to {path}{', chunked' if chunked else ''}", "refused (413)")


@pytest.mark.parametrize("part", [0, 1])
def test_no_token_breaks_the_server(lab: LabClient, part: int) -> None:
    """A token is read before its signature is: deep JSON in it ends in a refusal."""
    deep = base64url_encode(b"[" * 9000).decode()
    fine = base64url_encode(b'{"alg":"RS256"}').decode()
    parts = [fine, fine, "AAAA"]
    parts[part] = deep
    assert lab.graph("", "GET", f"{INTUNE}/microsoftTunnelSites", token=".".join(parts)).status_code == 401
    form = {
        "client_id": "44444444-4444-4444-8444-444444444444",
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
        "client_assertion": ".".join(parts),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert lab.oauth("token", form).status_code == 401
    record("tenant", f"deep JSON in the {('header', 'claims')[part]} of a token", "refused (401)")


@pytest.mark.parametrize("number", ["9" * 5000, "²", "٣", "-1", "1e9"])
def test_no_number_breaks_the_server(lab: LabClient, browser: Pages, number: str) -> None:
    """Numbers arrive as text: in a query, in a form, in an advanced setting."""
    listed = lab.graph("admin", "GET", f"{INTUNE}/microsoftTunnelSites", params={"$top": number})
    assert listed.status_code == 400
    timeout = {"name": "session-timeout", "value": number}
    body = {
        "displayName": "Odd",
        "network": "169.254.0.0/16",
        "listenPort": 443,
        "advancedSettings": [timeout],
    }
    assert lab.graph("admin", "POST", f"{INTUNE}/microsoftTunnelConfigurations", body).status_code == 400
    browser.sign_in(ADMIN)
    browser.open("/admin/configurations/new")
    assert browser.send(name="Odd", listen_port=number).status == 400
    shown = f"{number[:3]!r} ({len(number)} characters)"
    record("tenant", f"{shown} for a number in a query, a form and a setting of the lab", "refused (400)")


ROLES = (
    "Intune Administrator",
    "Application Administrator",
    "Cloud Application Administrator",
    "Privileged Role Administrator",
)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_not_lead_to_another(lab: LabClient, browser: Pages, role: str) -> None:
    """Consent for the tenant, granting a role, changing a site, and the admin center take a role each."""
    change(lab, "reader@lab.example", roles=[role])
    lab.tokens.clear()
    grants, intune = role == "Privileged Role Administrator", role == "Intune Administrator"
    principal = lab.principal_id("44444444-4444-4444-8444-444444444444")
    resource = lab.principal_id("00000003-0000-0000-c000-000000000000")
    wanted = {
        "principalId": principal,
        "resourceId": resource,
        "appRoleId": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    }
    granted = lab.graph("reader", "POST", f"/servicePrincipals/{principal}/appRoleAssignments", wanted)
    assert granted.status_code == (201 if grants else 403)
    site = f"{INTUNE}/microsoftTunnelSites/{lab.site_id()}"
    changed = lab.graph("reader", "PATCH", site, {"description": "mine"})
    assert changed.status_code == (200 if intune else 403)
    page = browser.sign_in("reader@lab.example")
    assert (page.status == 200) is intune
    consent = browser.open(f"/common/adminconsent?client_id={lab.description['client_id']}")
    assert (consent.status == 200) is grants
    record("tenant", f"a user with the role {role} does what takes another", "refused (403)")


HIDDEN = ["ownerIds", "owner_ids", "secretDigests", "secret_digests", "secrets", "scopes", "publicClient"]


@pytest.mark.parametrize("name", [*HIDDEN, "passwordGrant", "gatewayAccess", "appId", "id"])
def test_an_application_cannot_be_given_what_the_lab_keeps_of_it(lab: LabClient, name: str) -> None:
    made = lab.graph("admin", "POST", "/applications", {"displayName": "mine"}).json()
    value: Any = True if name in {"publicClient", "passwordGrant", "gatewayAccess"} else [str(uuid4())]
    answers = [
        lab.graph("admin", "POST", "/applications", {"displayName": "mine", name: value}),
        lab.graph("admin", "PATCH", f"/applications/{made['id']}", {name: value}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    record("tenant", f"write `{name}` of an application", "refused (400)")


def test_user_codes_cannot_be_guessed(lab: LabClient, browser: Pages) -> None:
    """A right code is refused like a wrong one once too many were wrong (RFC 8628 section 5.1).

    The last test of this lab: its address is refused from here on.
    """
    flow = lab.oauth("devicecode", {"client_id": lab.description["client_id"], "scope": "User.Read"}).json()
    for n in range(20):
        browser.open("/devicelogin")
        assert browser.send(code=f"AAAAAAA{n:02}").status == 400
    browser.open("/devicelogin")
    assert browser.send(code=flow["user_code"]).status == 429
    record("tenant", "guess the code of a waiting device", "refused after 20 wrong ones (429)")
