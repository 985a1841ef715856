"""The lab under the host names of a national cloud, with a tenant client that believes to be there."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.client_credential import ClientSecret
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import SignIn
from tests.unit.mstunnel_lab.conftest import APPS, SECRETS, SEED, agent_form, trusting_session

HOSTS = {
    "gcc-high": ("login.microsoftonline.us", "graph.microsoft.us"),
    "dod": ("login.microsoftonline.us", "dod-graph.microsoft.us"),
}


@pytest.mark.parametrize("name", HOSTS)
def test_tenant_client_works_with_a_national_cloud(
    start_lab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    seed = tmp_path / "seed.yaml"
    # Addresses of further pages would contain the port, which the cloud's addresses do not.
    seed.write_text(Path(SEED).read_text().replace("page_size: 2", "page_size: 100"))
    running = start_lab("--seed", str(seed), "--cloud", name)
    description, (login, graph_host) = running.description, HOSTS[name]
    port = int(description["graph"].rpartition(":")[2])
    assert description["authority"] == f"https://{login}:{port}/{description['tenant_id']}"
    assert description["graph"] == f"https://{graph_host}:{port}"
    # Every name resolves to loopback at one port, as with a hosts file and port 443.
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, _port, *rest: resolve("127.0.0.1", port, *rest))
    where, http = cloud(name), HttpSession(Clock(), description["ca_file"])
    try:
        sign_in = SignIn(http, Clock(), where, description["tenant_id"], APPS["agent"])
        token = sign_in.application(ClientSecret(SECRETS["agent"]))
        sites = Graph(http, where, token, Clock()).sites()
        assert {site.display_name for site in sites} == {"Berlin", "Osaka", "Lima"}
    finally:
        http.close()


def test_tokens_for_another_cloud_are_refused(start_lab: Callable[..., Any]) -> None:
    """Check that a lab in place of GCC High knows no resource of the public cloud."""
    running = start_lab("--seed", SEED, "--cloud", "gcc-high", "--name", "localhost")
    description = running.description
    port = int(description["graph"].rpartition(":")[2])
    address = f"https://localhost:{port}/{description['tenant_id']}/oauth2/v2.0/token"
    with trusting_session(description["ca_file"]) as session:
        public = session.post(address, data=agent_form(), timeout=20)
        own = session.post(address, data=agent_form("https://graph.microsoft.us/.default"), timeout=20)
    assert public.json()["error_codes"] == [500011]
    assert "access_token" in own.json()
