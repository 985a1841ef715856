"""Microsoft's own client for Graph beta (PyPI msgraph-beta-sdk) works with every tunnel entity of the lab.

It runs in a separate environment, created once from requirements/official-client.txt; see tour.py.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.develop.locked_environment import locked_environment
from tests.unit.mstunnel_lab.conftest import LabClient, trusting_session
from tests.unit.running_lab import running_lab

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
SEED = str(ROOT / "tests/unit/mstunnel_lab/seed.yaml")


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, Any]:
    """What the client read back in its tour through a lab of its own."""
    tour, directory = Path(__file__).with_name("tour.py"), tmp_path / "lab"
    with running_lab(directory, "--seed", SEED) as description:
        with trusting_session(description["ca_file"]) as session:
            (directory / "token").write_text(LabClient(description, session).user_token("admin"))
        command = [locked_environment("official-client"), tour, directory / "lab.json", directory / "token"]
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
        "series": 1,
        "logs": [True, "MicrosoftTunnelLogCollectionStatus.Pending", 12, 1],
        "download before the end": 409,
        "log gone": 404,
        "threshold": ["latency", 1, 9],
        "threshold gone": 404,
        "gone": [404, 404],
    }
