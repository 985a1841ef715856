"""The agent signs in at the authority of the tenant's cloud."""

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup.agent.tenant import enrol
from mstunnel_setup.answers.variables import proxies_of
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.agent.fakes import SERVER, SITE


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def asked(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the requests to the proxy in env.sh, which refuses all of them."""
    lines: list[str] = []

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines.append(self.rfile.readline().decode().strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")  # `enrol` sets them for its process
        files.make_directories(paths.AGENT_DIRECTORY)
        files.write(paths.ENVIRONMENT, f"https_proxy=http://127.0.0.1:{server.server_address[1]}\n".encode())
        yield lines
        server.shutdown()


def set_up(files: Files, cloud: str) -> None:
    """Register the agent in a tenant of this cloud."""
    addresses = {"Authority": "https://login.lab.example", "Graph": "https://graph.lab.example"}
    info = {"AgentId": SITE, "IntuneTenantId": SERVER, "AADTenantId": SERVER, "Cloud": cloud, **addresses}
    files.write(paths.AGENT_INFO, json.dumps({**info, "RenewalDate": "2027-01-01T00:00:00Z"}).encode())
    files.write(paths.AGENT_SETTINGS, json.dumps({"SiteId": SITE, "ServerId": SERVER}).encode())
    files.write(paths.AGENT_SECRET, b"not-a-real-secret-0123456789", 0o600)


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("public", "login.microsoftonline.com"),
        ("gcc-high", "login.microsoftonline.us"),
        ("dod", "login.microsoftonline.us"),
        ("custom", "login.lab.example"),
    ],
)
def test_agent_signs_in_at_the_address_of_its_cloud(
    files: Files, asked: list[str], cloud: str, host: str
) -> None:
    """Check that addresses next to the name of one of Microsoft's clouds are ignored."""
    set_up(files, cloud)
    with refused(NetworkError, "proxy-failed", f"it refused to connect to {host}: status 403 Forbidden"):
        enrol(files, Clock(), timeout=5)
    assert {line.rpartition(" ")[0] for line in asked} == {f"CONNECT {host}:443"}


def test_proxy_removed_from_env_sh_is_no_longer_used(
    files: Files, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(files, "custom")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://an-earlier-one.example")
    with pytest.raises(NetworkError):
        enrol(files, Clock(), timeout=5)
    asked.clear()
    files.write(paths.ENVIRONMENT, b"no_proxy=.example\n")
    with refused(NetworkError, "network-unreachable"):
        enrol(files, Clock(), timeout=5)
    assert asked == []
    assert proxies_of(os.environ) == {"no_proxy": ".example"}
