"""Microsoft's own client for Graph beta (PyPI msgraph-beta-sdk) works with every tunnel entity of the lab.

It runs in a separate environment, created once from requirements/official-client.txt; see tour.py.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts.locked_environment import locked_environment
from tests.unit.running_lab import running_lab

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
SEED = str(ROOT / "tests/unit/mstunnel_lab/seed.yaml")


@pytest.fixture(scope="module")
def client_python() -> Path:
    """The interpreter of the environment with the client, made the first time."""
    return locked_environment("official-client")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Path]:
    """The lab.json of a lab of this test's own, and a token beside it."""
    directory = tmp_path / "lab"
    with running_lab(directory, "--seed", SEED) as description:
        (directory / "token").write_text(administrator_token(description))
        yield directory / "lab.json"


def administrator_token(description: dict[str, Any]) -> str:
    user = description["users"][0]
    form = {"grant_type": "password", "client_id": description["client_id"], "username": user["upn"]}
    form |= {"password": user["password"], "scope": "https://graph.microsoft.com/.default"}
    with requests.Session() as session:
        session.trust_env = False
        address = f"{description['authority']}/oauth2/v2.0/token"
        answer = session.post(address, data=form, verify=description["ca_file"], timeout=20)
        return str(answer.json()["access_token"])


@pytest.fixture
def seen(lab: Path, client_python: Path) -> dict[str, Any]:
    """What the client read back in its tour."""
    tour = str(Path(__file__).with_name("tour.py"))
    command = [str(client_python), tour, str(lab), str(lab.with_name("token"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_reads_back_what_it_wrote(seen: dict[str, Any]) -> None:
    assert seen == {
        "configuration": {
            "display_name": "Official",
            "description": "made by Microsoft's client",
            "network": "169.254.0.0/16",
            "ipv6_network": "fd00:1::/64",
            "dns_servers": ["10.1.0.53"],
            "default_domain_suffix": "corp.example",
            "route_includes": ["10.2.0.0/16"],
            "routes_include": ["10.2.0.0/16"],
            "route_excludes": ["10.1.9.0/24"],
            "split_d_n_s": ["corp.example"],
            "listen_port": 8443,
            "disable_udp_connections": False,
            "role_scope_tag_ids": ["0"],
            "settings": {"session-timeout": "7200"},
            "updated": True,
        },
        "configurations": ["Main", "Official"],
        "configuration count": 2,
        "configuration in use": 409,
        "site": {
            "display_name": "Official site",
            "description": "changed",
            "public_address": "official.lab.example",
            "internal_network_probe_url": "http://10.1.0.1/",
            "upgrade_automatically": "False",
            "upgrade_available": "False",
            "upgrade_window_start_time": "22:00:00",
            "upgrade_window_end_time": "23:30:00",
            "upgrade_window_utc_offset_in_minutes": "-300",
            "configuration": "Official",
        },
        "sites": ["Berlin", "Lima", "Official site", "Osaka"],
        "server": [
            "gw-renamed",
            "MicrosoftTunnelDeploymentMode.StandaloneRootless",
            "MicrosoftTunnelServerHealthStatus.Unknown",
        ],
        "servers": ["gw-renamed"],
        "server gone": 404,
        "metrics": [["cpuUsage", 42]],
        "series": 0,
        "logs": [True, "MicrosoftTunnelLogCollectionStatus.Pending", 12, 1],
        "download before the end": 409,
        "log gone": 404,
        "threshold": ["latency", 1, 9],
        "threshold gone": 404,
        "gone": [404, 404],
    }
