"""The real MSAL for Python signs in to the lab, with misleading CA variables in the environment."""

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SCOPE = "https://graph.microsoft.com/DeviceManagementConfiguration.ReadWrite.All"


@pytest.fixture(autouse=True)
def _misleading_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture
def http(lab: Any, trusting: Any) -> Iterator[requests.Session]:
    with trusting(lab.description["ca_file"]) as session:
        yield session


def public_client(lab: Any, http: requests.Session) -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        lab.description["client_id"],
        authority=lab.description["authority"],
        instance_discovery=False,
        http_client=http,
    )


def confidential_client(
    lab: Any, http: requests.Session, app_id: str, credential: dict[str, str]
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        app_id,
        client_credential=credential,
        authority=lab.description["authority"],
        instance_discovery=False,
        http_client=http,
    )


def approve(process: Any, lab_program: str, code: str, user: str) -> subprocess.CompletedProcess[str]:
    command = [lab_program, "approve", code, "--user", f"{user}@lab.example", "--dir", str(process.directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def certificate(name: str = "gateway") -> tuple[str, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    leaf = (
        builder.not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), leaf


def test_device_code_from_start_to_silent_renewal(
    lab: Any, process: Any, http: Any, lab_program: str
) -> None:
    client = public_client(lab, http)
    flow = client.initiate_device_flow([SCOPE])
    assert flow["verification_uri"] == lab.description["device_login"]
    outcome: dict[str, Any] = {}
    waiting = threading.Thread(target=lambda: outcome.update(client.acquire_token_by_device_flow(flow)))
    waiting.start()
    time.sleep(0.3)
    assert approve(process, lab_program, flow["user_code"], "admin").returncode == 0
    waiting.join(20)
    assert outcome["id_token_claims"]["preferred_username"] == "admin@lab.example"
    claims = jwt.decode(outcome["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://graph.microsoft.com"
    assert "DeviceManagementConfiguration.ReadWrite.All" in claims["scp"].split()
    assert "3a2c62db-5318-420d-8d74-23affee5d9d5" in claims["wids"]
    account = client.get_accounts()[0]
    renewed = client.acquire_token_silent([SCOPE], account, force_refresh=True)
    assert renewed is not None
    assert renewed["access_token"] != outcome["access_token"]


def test_cancelled_sign_in_is_declined(lab: Any, http: Any) -> None:
    client = public_client(lab, http)
    flow = client.initiate_device_flow([SCOPE])
    first = http.post(lab.description["device_login"], data={"code": flow["user_code"]}, timeout=20)
    token = first.text.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"code": flow["user_code"], "form_token": token, "decision": "cancel"}
    answer = http.post(lab.description["device_login"] + "/account", data=form, timeout=20)
    assert "Cancelled" in answer.text
    assert client.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_wrong_passwords_end_the_sign_in(lab: Any, http: Any) -> None:
    flow = public_client(lab, http).initiate_device_flow([SCOPE])
    page = http.get(lab.description["device_login"], timeout=20)
    token = page.text.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"code": flow["user_code"], "form_token": token, "upn": "admin@lab.example", "password": "guess"}
    address = lab.description["device_login"] + "/account"
    statuses = [http.post(address, data=form, timeout=20).status_code for _ in range(6)]
    assert statuses == [401, 401, 401, 401, 401, 400]


@pytest.mark.parametrize("given", ["thumbprint", "public_certificate", "both"])
def test_client_credential_with_certificate(lab: Any, http: Any, given: str) -> None:
    """RS256 with the SHA-1 thumbprint, PS256 with the SHA-256 one; the same assertion again is refused."""
    key, leaf = certificate()
    app_id = register_identity(lab, leaf)
    pem = leaf.public_bytes(serialization.Encoding.PEM).decode()
    credential = {"private_key": key}
    if given != "public_certificate":
        credential["thumbprint"] = leaf.fingerprint(hashes.SHA1()).hex()
    if given != "thumbprint":
        credential["public_certificate"] = pem
    client = confidential_client(lab, http, app_id, credential)
    first: Any = client.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    assert "access_token" in first, first
    claims = jwt.decode(first["access_token"], options={"verify_signature": False})
    assert claims["roles"] == ["DeviceManagementConfiguration.ReadWrite.All"]
    again: Any = client.acquire_token_for_client([f"{lab.description['graph']}/.default"])
    assert again["error_codes"] == [50027]
    answer = lab.graph("", "GET", "/deviceManagement/microsoftTunnelSites", token=first["access_token"])
    assert answer.status_code == 200


def test_a_certificate_of_another_is_refused(lab: Any, http: Any) -> None:
    _, leaf = certificate()
    app_id = register_identity(lab, leaf)
    other_key, other = certificate("other")
    credential = {
        "private_key": other_key,
        "public_certificate": other.public_bytes(serialization.Encoding.PEM).decode(),
    }
    client = confidential_client(lab, http, app_id, credential)
    answer: Any = client.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def register_identity(lab: Any, leaf: x509.Certificate) -> str:
    """Create application, service principal and grant, as the installer does; return the client id."""
    key = base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()
    credential = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key}
    body = {"displayName": "gw1", "keyCredentials": [credential]}
    application = lab.graph("admin", "POST", "/applications", body).json()
    principal = lab.graph("admin", "POST", "/servicePrincipals", {"appId": application["appId"]}).json()
    graph = lab.graph(
        "admin", "GET", "/servicePrincipals?$filter=appId eq '00000003-0000-0000-c000-000000000000'"
    ).json()["value"][0]
    role = next(
        role["id"]
        for role in graph["appRoles"]
        if role["value"] == "DeviceManagementConfiguration.ReadWrite.All"
    )
    grant = {"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": role}
    path = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    assert lab.graph("admin", "POST", path, grant).status_code == 201
    return str(application["appId"])
