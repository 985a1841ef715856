"""Secrets, certificates and client assertions of applications: checked claims, renewal, removal."""

import base64
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mstunnel_lab.entra.oauth import ASSERTION_TYPE, check_assertion
from mstunnel_lab.entra.tokens import thumbprints
from mstunnel_lab.errors import OAuthError
from mstunnel_lab.pki import self_signed
from mstunnel_setup.tenant.wire import GRAPH_APP_ID, KeyCredential
from tests.cases import every
from tests.unit.mstunnel_lab.conftest import GRAPH_DEFAULT, SITES, claims_of

PROOF_AUDIENCE = "00000002-0000-0000-c000-000000000000"
AUDIENCE = "https://lab.example/tenant/oauth2/v2.0/token"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
DER = self_signed(KEY, "gateway")
OTHER_DER = self_signed(OTHER_KEY, "gateway")
ROLE = "9241abd9-d0e6-425a-bd4f-47ba86e767a4"
CREDENTIALS = (KeyCredential(key=base64.b64encode(DER).decode()),)
SHA1, SHA256 = thumbprints(DER)


def assertion(
    key: Any = KEY, algorithm: str = "RS256", header: dict[str, str] | None = None, **claims: Any
) -> str:
    now = int(time.time())
    full = {"aud": AUDIENCE, "iss": "client", "sub": "client", "exp": now + 300, "jti": str(uuid.uuid4())}
    payload = {name: value for name, value in (full | claims).items() if value is not None}
    return jwt.encode(payload, key, algorithm, headers=header if header is not None else {"x5t": SHA1})


@pytest.mark.parametrize(
    ("algorithm", "header"),
    [
        ("RS256", {"x5t": SHA1}),
        ("RS256", {"x5t": SHA1 + "="}),
        ("PS256", {"x5t#S256": SHA256}),
        ("PS256", {"x5t": SHA1, "x5t#S256": SHA256}),
    ],
)
def test_valid_assertion_is_accepted(algorithm: str, header: dict[str, str]) -> None:
    text = assertion(algorithm=algorithm, header=header, jti="once")
    assert check_assertion(text, "client", AUDIENCE, CREDENTIALS)[0] == "once"


@every(
    "changes, number",
    [
        ({"aud": "https://elsewhere/token"}, 700023),
        ({"iss": "other"}, 700021),
        ({"sub": "other"}, 700021),
        ({"exp": int(time.time()) - 900}, 700024),
        ({"nbf": int(time.time()) + 86_400}, 700024),
        ({"exp": int(time.time()) + 86_400}, 700024),
        ({"exp": float("inf")}, 50027),
        ({"exp": None}, 50027),
        ({"jti": None}, 50027),
        ({"key": OTHER_KEY}, 700027),
        ({"header": {"x5t": "AAAA"}}, 700027),
        ({"header": {"x5t": SHA1, "x5t#S256": "AAAA"}}, 700027),
        ({"header": {}}, 5002730),
        ({"key": "a-shared-secret-of-32-characters!", "algorithm": "HS256"}, 5002738),
        ({"key": None, "algorithm": "none"}, 5002738),
    ],
)
def test_invalid_assertion_is_refused(changes: dict[str, Any], number: int) -> None:
    with pytest.raises(OAuthError) as caught:
        check_assertion(assertion(**changes), "client", AUDIENCE, CREDENTIALS)
    assert (caught.value.error, caught.value.status, caught.value.number) == ("invalid_client", 401, number)


def credential(certificate: bytes) -> dict[str, str]:
    key = base64.b64encode(certificate).decode()
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key}


@pytest.fixture
def application(lab: Any) -> dict[str, Any]:
    """Return an application with a certificate and a service principal."""
    body = {"displayName": "rolled", "keyCredentials": [credential(DER)]}
    made: dict[str, Any] = lab.create("/applications", body)
    lab.create("/servicePrincipals", {"appId": made["appId"]})
    return made | {"path": f"/applications/{made['id']}"}


def test_assertion_and_jti_are_valid_once(lab: Any, application: dict[str, Any]) -> None:
    client = application["appId"]
    endpoint = f"{lab.description['authority']}/oauth2/v2.0/token"
    form = {"client_id": client, "grant_type": "client_credentials", "scope": GRAPH_DEFAULT}
    common = {"aud": endpoint, "iss": client, "sub": client, "jti": "used"}
    first, later = assertion(**common), assertion(**common, exp=int(time.time()) + 200)
    statuses = [
        lab.oauth("token", form | {"client_assertion": text, "client_assertion_type": ASSERTION_TYPE})
        for text in (first, first, later)
    ]
    assert [answer.status_code for answer in statuses] == [200, 401, 401]


def confidential_client(lab: Any, app_id: str, credential: Any) -> Any:
    return msal.ConfidentialClientApplication(
        app_id,
        client_credential=credential,
        authority=lab.description["authority"],
        instance_discovery=False,
        http_client=lab.session,
    )


def signed_in(lab: Any, app_id: str, credential: Any) -> Any:
    return confidential_client(lab, app_id, credential).acquire_token_for_client([GRAPH_DEFAULT])


@pytest.mark.parametrize("given", ["thumbprint", "public_certificate", "both"])
def test_an_application_signs_in_with_a_certificate(lab: Any, application: Any, given: str) -> None:
    """Check RS256 with the SHA-1 thumbprint and PS256 with SHA-256; a repeated assertion is refused."""
    principal = lab.principal_id(application["appId"])
    grant = {"principalId": principal, "resourceId": lab.principal_id(GRAPH_APP_ID), "appRoleId": ROLE}
    lab.create(f"/servicePrincipals/{principal}/appRoleAssignments", grant)
    leaf = x509.load_der_x509_certificate(DER)
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    credential = {"private_key": private}
    if given != "public_certificate":
        credential["thumbprint"] = leaf.fingerprint(hashes.SHA1()).hex()
    if given != "thumbprint":
        credential["public_certificate"] = leaf.public_bytes(Encoding.PEM).decode()
    client = confidential_client(lab, application["appId"], credential)
    first: Any = client.acquire_token_for_client([GRAPH_DEFAULT])
    assert "access_token" in first, first
    claims = claims_of(first["access_token"])
    assert claims["roles"] == ["DeviceManagementConfiguration.ReadWrite.All"]
    again: Any = client.acquire_token_for_client([f"{lab.description['graph']}/.default"])
    assert again["error_codes"] == [50027]
    assert lab.status("", "GET", SITES, token=first["access_token"]) == 200


def test_secret_is_shown_once_and_signs_in(lab: Any, application: dict[str, Any]) -> None:
    path, client = application["path"], application["appId"]
    answer = lab.graph("admin", "POST", f"{path}/addPassword", {"passwordCredential": {"displayName": "one"}})
    secret = answer.json()
    assert answer.status_code == 200
    assert secret["hint"] == secret["secretText"][:3]
    life = datetime.fromisoformat(secret["endDateTime"]) - datetime.fromisoformat(secret["startDateTime"])
    assert life == timedelta(days=730)
    stored = lab.read(path)["passwordCredentials"]
    assert stored == [{**{k: v for k, v in secret.items() if k != "@odata.context"}, "secretText": None}]
    assert secret["secretText"] not in str(lab.read(path))
    assert "access_token" in signed_in(lab, client, secret["secretText"])
    assert signed_in(lab, client, "guess")["error_codes"] == [7000215]
    # An application with a secret can be changed.
    assert lab.status("admin", "PATCH", path, {"notes": "kept"}) == 204
    assert len(lab.read(path)["passwordCredentials"]) == 1
    removals = [
        lab.status("admin", "POST", f"{path}/removePassword", {"keyId": secret["keyId"]}) for _ in "12"
    ]
    assert removals == [204, 400]
    assert signed_in(lab, client, secret["secretText"])["error_codes"] == [7000215]


def test_secret_expires(lab: Any, application: dict[str, Any]) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    path, client = f"{application['path']}/addPassword", application["appId"]
    body = {"passwordCredential": {"endDateTime": soon.isoformat()}}
    secret = lab.graph("admin", "POST", path, body).json()["secretText"]
    assert "access_token" in signed_in(lab, client, secret)
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    assert signed_in(lab, client, secret)["error_codes"] == [7000222]
    body = {"passwordCredential": {"endDateTime": "2020-01-01T00:00:00Z"}}
    answer = lab.graph("admin", "POST", path, body)
    assert (answer.status_code, "after startDateTime" in answer.text) == (400, True)


def proof(key: rsa.RSAPrivateKey, certificate: bytes, issuer: str, **claims: Any) -> str:
    now = int(time.time())
    body = {"aud": PROOF_AUDIENCE, "iss": issuer, "nbf": now, "exp": now + 600, **claims}
    return jwt.encode(body, key, algorithm="RS256", headers={"x5t": thumbprints(certificate)[0]})


def test_application_can_replace_its_own_key(lab: Any, application: dict[str, Any]) -> None:
    """Check that it needs no permission of Graph, only its present key."""
    path, client, own = application["path"], application["appId"], application["id"]
    address = f"{lab.description['authority']}/oauth2/v2.0/token"

    def token(key: rsa.RSAPrivateKey, certificate: bytes) -> Any:
        header = {"x5t": thumbprints(certificate)[0]}
        claims: dict[str, Any] = {"aud": address, "iss": client, "sub": client, "header": header}
        return signed_in(lab, client, {"client_assertion": lambda: assertion(key, **claims)})

    bearer = token(KEY, DER)["access_token"]
    body: dict[str, Any] = {"keyCredential": credential(OTHER_DER), "passwordCredential": None}
    stranger = rsa.generate_private_key(65537, 2048)
    for wrong in (
        proof(KEY, DER, client),
        proof(KEY, DER, own, aud="https://graph.microsoft.com"),
        proof(KEY, DER, own, exp=int(time.time()) - 600),
        proof(stranger, self_signed(stranger, "stranger"), own),
        proof(stranger, DER, own),
    ):
        refused = lab.graph("", "POST", f"{path}/addKey", {**body, "proof": wrong}, token=bearer)
        assert (refused.status_code, "proof" in refused.text) == (403, True)
    body["proof"] = proof(KEY, DER, own)
    assert lab.status("app:other", "POST", f"{path}/addKey", body) == 403
    added = lab.graph("", "POST", f"{path}/addKey", body, token=bearer)
    assert (added.status_code, added.json()["key"]) == (200, None)
    assert lab.status("", "POST", f"{path}/addKey", body, token=bearer) == 400
    first = lab.read(path)["keyCredentials"][0]["keyId"]
    removal = {"keyId": first, "proof": proof(OTHER_KEY, OTHER_DER, own)}
    assert lab.status("", "POST", f"{path}/removeKey", removal, token=bearer) == 204
    assert token(KEY, DER)["error_codes"] == [700027]
    assert "access_token" in token(OTHER_KEY, OTHER_DER)
