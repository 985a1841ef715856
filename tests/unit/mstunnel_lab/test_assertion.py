"""Client assertions: every claim counts."""

import base64
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_lab.entra.oauth import check_assertion
from mstunnel_lab.entra.tokens import thumbprints
from mstunnel_lab.errors import OAuthError
from mstunnel_lab.pki import self_signed
from mstunnel_setup.tenant.wire import KeyCredential

AUDIENCE = "https://lab.example/tenant/oauth2/v2.0/token"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
DER = self_signed(KEY, "gateway")
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
def test_accepted(algorithm: str, header: dict[str, str]) -> None:
    text = assertion(algorithm=algorithm, header=header, jti="once")
    assert check_assertion(text, "client", AUDIENCE, CREDENTIALS).jti == "once"


@pytest.mark.parametrize(
    ("changes", "number"),
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
def test_refused(changes: dict[str, Any], number: int) -> None:
    with pytest.raises(OAuthError) as caught:
        check_assertion(assertion(**changes), "client", AUDIENCE, CREDENTIALS)
    assert (caught.value.error, caught.value.status, caught.value.number) == ("invalid_client", 401, number)


def test_an_assertion_and_its_jti_are_good_for_one_request(lab: Any, leaf_key: rsa.RSAPrivateKey) -> None:
    der = self_signed(leaf_key, "gw")
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}
    application = lab.graph(
        "admin", "POST", "/applications", {"displayName": "jti", "keyCredentials": [key]}
    ).json()
    lab.graph("admin", "POST", "/servicePrincipals", {"appId": application["appId"]})
    client = application["appId"]
    endpoint = f"{lab.description['authority']}/oauth2/v2.0/token"
    header = {"x5t": thumbprints(der)[0]}

    def ask(text: str) -> int:
        form = {
            "client_id": client,
            "grant_type": "client_credentials",
            "client_assertion": text,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "scope": "https://graph.microsoft.com/.default",
        }
        return int(lab.oauth("token", form).status_code)

    common = {"aud": endpoint, "iss": client, "sub": client, "jti": "used", "header": header}
    first = assertion(leaf_key, **common)
    later = assertion(leaf_key, **common, exp=int(time.time()) + 200)
    assert (ask(first), ask(first), ask(later)) == (200, 401, 401)
