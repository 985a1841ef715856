"""Secrets and certificates of applications: made, used by the real MSAL, rolled, removed."""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_lab.entra.tokens import thumbprints
from mstunnel_lab.pki import self_signed

PROOF_AUDIENCE = "00000002-0000-0000-c000-000000000000"
DEFAULT = ["https://graph.microsoft.com/.default"]


def application(lab: Any, **body: Any) -> dict[str, Any]:
    """A new application with a service principal."""
    made: dict[str, Any] = lab.graph(
        "admin", "POST", "/applications", {"displayName": "rolled", **body}
    ).json()
    assert lab.graph("admin", "POST", "/servicePrincipals", {"appId": made["appId"]}).status_code == 201
    return made


def signed_in(lab: Any, app_id: str, credential: Any) -> Any:
    client = msal.ConfidentialClientApplication(
        app_id,
        client_credential=credential,
        authority=lab.description["authority"],
        instance_discovery=False,
        http_client=lab.session,
    )
    return client.acquire_token_for_client(DEFAULT)


def test_a_secret_is_shown_once_and_works(lab: Any) -> None:
    made = application(lab)
    path = f"/applications/{made['id']}"
    answer = lab.graph("admin", "POST", f"{path}/addPassword", {"passwordCredential": {"displayName": "one"}})
    secret = answer.json()
    assert answer.status_code == 200
    assert secret["hint"] == secret["secretText"][:3]
    life = datetime.fromisoformat(secret["endDateTime"]) - datetime.fromisoformat(secret["startDateTime"])
    assert life == timedelta(days=730)
    stored = lab.graph("admin", "GET", path).json()["passwordCredentials"]
    assert stored == [{**{k: v for k, v in secret.items() if k != "@odata.context"}, "secretText": None}]
    assert secret["secretText"] not in lab.graph("admin", "GET", path).text
    assert "access_token" in signed_in(lab, made["appId"], secret["secretText"])
    assert signed_in(lab, made["appId"], "guess")["error_codes"] == [7000215]
    removed = lab.graph("admin", "POST", f"{path}/removePassword", {"keyId": secret["keyId"]})
    assert removed.status_code == 204
    assert signed_in(lab, made["appId"], secret["secretText"])["error_codes"] == [7000215]
    again = lab.graph("admin", "POST", f"{path}/removePassword", {"keyId": secret["keyId"]})
    assert again.status_code == 400


def test_an_application_with_a_secret_can_be_changed(lab: Any) -> None:
    made = application(lab)
    path = f"/applications/{made['id']}"
    lab.graph("admin", "POST", f"{path}/addPassword", {})
    assert lab.graph("admin", "PATCH", path, {"notes": "kept"}).status_code == 204
    assert len(lab.graph("admin", "GET", path).json()["passwordCredentials"]) == 1


def test_a_secret_ends(lab: Any) -> None:
    made = application(lab)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    wish = {"passwordCredential": {"endDateTime": soon.isoformat()}}
    answer = lab.graph("admin", "POST", f"/applications/{made['id']}/addPassword", wish).json()
    assert "access_token" in signed_in(lab, made["appId"], answer["secretText"])
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    assert signed_in(lab, made["appId"], answer["secretText"])["error_codes"] == [7000222]


def test_a_secret_that_ends_before_it_begins(lab: Any) -> None:
    made = application(lab)
    wish = {"passwordCredential": {"endDateTime": "2020-01-01T00:00:00Z"}}
    answer = lab.graph("admin", "POST", f"/applications/{made['id']}/addPassword", wish)
    assert (answer.status_code, "after startDateTime" in answer.text) == (400, True)


@pytest.fixture(scope="module")
def keys() -> Callable[[], tuple[rsa.RSAPrivateKey, bytes]]:
    def make() -> tuple[rsa.RSAPrivateKey, bytes]:
        key = rsa.generate_private_key(65537, 2048)
        return key, self_signed(key, "gateway")

    return make


def credential(certificate: bytes) -> dict[str, str]:
    key = base64.b64encode(certificate).decode()
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key}


def proof(key: rsa.RSAPrivateKey, certificate: bytes, issuer: str, **claims: Any) -> str:
    now = int(time.time())
    body = {"aud": PROOF_AUDIENCE, "iss": issuer, "nbf": now, "exp": now + 600, **claims}
    return jwt.encode(body, key, algorithm="RS256", headers={"x5t": thumbprints(certificate)[0]})


def test_an_application_rolls_its_own_key(lab: Any, keys: Any) -> None:
    """It needs no permission of Graph for it, only the key that it has."""
    (old, old_certificate), (new, new_certificate) = keys(), keys()
    made = application(lab, keyCredentials=[credential(old_certificate)])

    def assertion(key: rsa.RSAPrivateKey, certificate: bytes) -> str:
        address = f"{lab.description['authority']}/oauth2/v2.0/token"
        body = {"aud": address, "iss": made["appId"], "sub": made["appId"], "jti": str(time.time_ns())}
        body["exp"] = int(time.time()) + 300
        return jwt.encode(body, key, algorithm="RS256", headers={"x5t": thumbprints(certificate)[0]})

    def token(key: rsa.RSAPrivateKey, certificate: bytes) -> Any:
        return signed_in(lab, made["appId"], {"client_assertion": lambda: assertion(key, certificate)})

    bearer = token(old, old_certificate)["access_token"]
    path = f"/applications/{made['id']}"
    body = {"keyCredential": credential(new_certificate), "passwordCredential": None}
    stranger, strange_certificate = keys()
    for wrong in (
        proof(old, old_certificate, made["appId"]),
        proof(old, old_certificate, made["id"], aud="https://graph.microsoft.com"),
        proof(old, old_certificate, made["id"], exp=int(time.time()) - 600),
        proof(stranger, strange_certificate, made["id"]),
        proof(stranger, old_certificate, made["id"]),
    ):
        refused = lab.graph("", "POST", f"{path}/addKey", {**body, "proof": wrong}, token=bearer)
        assert (refused.status_code, "proof" in refused.text) == (403, True)
    good = proof(old, old_certificate, made["id"])
    added = lab.graph("", "POST", f"{path}/addKey", {**body, "proof": good}, token=bearer)
    assert (added.status_code, added.json()["key"]) == (200, None)
    twice = lab.graph("", "POST", f"{path}/addKey", {**body, "proof": good}, token=bearer)
    assert twice.status_code == 400
    first = lab.graph("admin", "GET", path).json()["keyCredentials"][0]["keyId"]
    removal = {"keyId": first, "proof": proof(new, new_certificate, made["id"])}
    assert lab.graph("", "POST", f"{path}/removeKey", removal, token=bearer).status_code == 204
    assert token(old, old_certificate)["error_codes"] == [700027]
    assert "access_token" in token(new, new_certificate)


def test_another_application_does_not_roll_it(lab: Any, keys: Any) -> None:
    key, certificate = keys()
    made = application(lab, keyCredentials=[credential(certificate)])
    body = {"keyCredential": credential(keys()[1]), "proof": proof(key, certificate, made["id"])}
    answer = lab.graph("app:other", "POST", f"/applications/{made['id']}/addKey", body)
    assert answer.status_code == 403
