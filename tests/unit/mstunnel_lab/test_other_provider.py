"""A certified third-party OpenID provider replaces the lab's sign-in (npm oidc-provider).

The tenant client signs in there by device code, and the lab's Graph, set to that issuer, accepts its tokens.
"""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from mstunnel_lab.pki import Authority
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from tests.unit.mstunnel_lab.conftest import trusting_session
from tests.unit.mstunnel_lab.pages import Pages

BROWSER = Path(__file__).parents[2] / "browser"
TENANT = "77777777-7777-4777-8777-777777777777"
CLIENT = "88888888-8888-4888-8888-888888888888"
USER = "99999999-9999-4999-8999-999999999999"
INTUNE_ADMINISTRATOR = "3a2c62db-5318-420d-8d74-23affee5d9d5"
SCOPES = (
    "DeviceManagementConfiguration.ReadWrite.All",
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "User.Read",
    "Organization.Read.All",
)
SEED = """
version: 1
tenant: {{name: Stand-in, domain: lab.example, id: {tenant}}}
trusted_issuer: {{issuer: {issuer}, key_set: {key_set}}}
internal_url: http://10.99.0.10/
users:
  - {{id: {user}, upn: admin@lab.example, name: Admin, roles: [Intune Administrator], licensed: true}}
configurations: [{{name: Main, network: 169.254.0.0/16}}]
sites: [{{name: Berlin, configuration: Main, public_address: gw.lab.example}}]
applications:
  - {{name: setup, use: setup, public_client: true}}
  - {{name: device, use: device, public_client: true}}
"""


@dataclass(frozen=True)
class Provider:
    """The provider, and a lab that trusts it."""

    issuer: str
    description: dict[str, Any]
    roots: str
    key: rsa.RSAPrivateKey


def jwk(key: rsa.RSAPrivateKey, *, private: bool) -> dict[str, Any]:
    shown: dict[str, Any] = RSAAlgorithm.to_jwk(key if private else key.public_key(), as_dict=True)
    return {**shown, "kid": "stand-in", "use": "sig", "alg": "RS256"}


@pytest.fixture
def standing(start_lab: Callable[..., Any], tmp_path: Path) -> Iterator[Provider]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    key = rsa.generate_private_key(65537, 2048)
    issuer = f"https://localhost:{port}/{TENANT}/v2.0"
    key_set, seed = tmp_path / "keys.json", tmp_path / "seed.yaml"
    key_set.write_text(json.dumps({"keys": [jwk(key, private=False)]}))
    seed.write_text(SEED.format(tenant=TENANT, issuer=issuer, key_set=key_set, user=USER))
    running = start_lab("--seed", str(seed))
    directory = tmp_path / "provider"
    directory.mkdir()
    certificate, private = Authority(directory).server_certificate(directory, ["localhost"])
    settings = {
        "issuer": issuer,
        "port": port,
        "resource": running.description["graph"],
        "scopes": SCOPES,
        "client_id": CLIENT,
        "tenant_id": TENANT,
        "jwks": {"keys": [jwk(key, private=True)]},
        "user": {"oid": USER, "upn": "admin@lab.example", "wids": [INTUNE_ADMINISTRATOR]},
        "certificate": str(certificate),
        "key": str(private),
    }
    file = directory / "settings.json"
    file.write_text(json.dumps(settings))
    roots = tmp_path / "roots.pem"
    roots.write_bytes((directory / "ca.pem").read_bytes() + (running.directory / "ca.pem").read_bytes())
    command = ["node", str(BROWSER / "provider.mjs"), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield Provider(issuer, running.description, str(roots), key)
        finally:
            process.kill()


def follow(pages: Pages, address: str, user_code: str) -> str:
    """Enter code, account and consent in the provider's own pages; return the last page."""
    page = pages.open(address.removeprefix(pages.base))
    for fields in ({"user_code": user_code}, {"confirm": "yes"}, {"login": USER, "password": "any"}, {}):
        page = pages.send(page.action.removeprefix(pages.base), **fields)
    return page.text


def test_lab_accepts_tokens_of_another_provider(
    standing: Provider,
) -> None:
    where = cloud("custom", standing.issuer.removesuffix("/v2.0"), standing.description["graph"])
    shown: list[str] = []

    def approve(code: DeviceCode) -> None:
        with trusting_session(standing.roots) as session:
            pages = Pages({"admin_center": f"{standing.issuer.partition(f'/{TENANT}')[0]}/admin"}, session)
            shown.append(follow(pages, code.url, code.code))

    http = HttpSession(Clock(), standing.roots)
    try:
        token = SignIn(http, Clock(), where, "organizations", CLIENT).device_code(approve)
        assert "sign-in success" in shown[0].lower()
        keys = standing.key.public_key()
        audience = standing.description["graph"]
        claims = jwt.decode(token(), keys, algorithms=["RS256"], audience=audience, issuer=standing.issuer)
        assert claims["oid"] == USER
        graph = Graph(http, where, token, Clock())
        assert [site.display_name for site in graph.sites()] == ["Berlin"]
    finally:
        http.close()


def test_only_the_configured_issuer_is_trusted(standing: Provider) -> None:
    """Check that the same claims with another key or another issuer are refused."""
    now = int(time.time())
    claims = {"aud": standing.description["graph"], "iss": standing.issuer, "tid": TENANT, "oid": USER}
    claims |= {"appid": CLIENT, "scp": SCOPES[0], "iat": now, "nbf": now, "exp": now + 60}
    other = rsa.generate_private_key(65537, 2048)
    address = f"{standing.description['graph']}/beta/deviceManagement/microsoftTunnelSites"

    def status(key: rsa.RSAPrivateKey, **changes: Any) -> int:
        token = jwt.encode(claims | changes, key, algorithm="RS256", headers={"kid": "stand-in"})
        with trusting_session(standing.description["ca_file"]) as session:
            return int(
                session.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code
            )

    assert status(standing.key) == 200
    assert status(other) == 401
    assert status(standing.key, iss="https://elsewhere.example/") == 401
    assert status(standing.key, iss=f"{standing.description['authority']}/") == 401
