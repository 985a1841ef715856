"""The metrics of a real gateway: served by the unit in contrib, to its own host and nobody else."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from mstunnel_setup.agent.metrics import METRICS
from tests.dashboards import CONTRIB
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

UNIT = "mstunnel-metrics.service"
PORT = 19469
ASK = ["curl", "--silent", "--fail", "--max-time", "10"]
# What a new gateway of the testbed cannot know: it has no internal address and no certificate that ends.
OPTIONAL = {"mstunnel_latency_seconds"}


@pytest.fixture
def served(gateway: Installation) -> Iterator[Installation]:
    path = f"/etc/systemd/system/{UNIT}"
    gateway.server.write(path, (CONTRIB / "prometheus" / UNIT).read_text())
    gateway.server.run(["systemctl", "daemon-reload"])
    gateway.server.run(["systemctl", "start", UNIT])
    yield gateway
    gateway.server.run(["systemctl", "stop", UNIT])
    assert gateway.server.run(["systemctl", "is-failed", UNIT], check=False).stdout == "inactive\n"
    gateway.server.run(["rm", path])


def metrics(installation: Installation) -> str:
    """What the unit serves; empty while there is nothing."""
    url = f"http://127.0.0.1:{PORT}/metrics"
    return str(installation.server.run([*ASK, url], check=False).stdout)


def test_the_metrics_of_a_gateway_are_served_to_its_own_host_alone(served: Installation) -> None:
    known = {metric.name for metric in METRICS} - OPTIONAL
    assert eventually(lambda: known <= set(re.findall(r"^# TYPE (\S+)", metrics(served), re.MULTILINE)), 150)
    text = metrics(served)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert "mstunnel_connections 0\n" in text

    listeners = served.server.run(["ss", "--listening", "--tcp", "--numeric", f"sport = :{PORT}"]).stdout
    assert re.findall(rf"(\S+):{PORT}\s", listeners) == ["127.0.0.1"]
    outside = served.server.run([*ASK, f"http://{PUBLIC_ADDRESS}:{PORT}/metrics"], check=False)
    assert outside.code == 7, "connection refused, even from the host itself"

    account = served.server.run(["systemctl", "show", "--property=User,UID,MainPID", UNIT]).stdout
    process = dict(line.split("=") for line in account.splitlines())["MainPID"]
    status = served.server.read(f"/proc/{process}/status")
    assert re.search(r"^Uid:\s+6[1-5]\d{3}\b", status, re.MULTILINE), "an account of its own"
