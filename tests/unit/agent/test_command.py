"""The program as the container runs it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from tests.testbed.waiting import eventually
from tests.unit.agent.fakes import SERVER, SITE
from tests.unit.tenant.credentials import write_pfx

PROGRAM = [sys.executable, "-c", "from mstunnel_setup.cli.agent import main; main()"]


def agent(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *arguments, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A gateway whose tenant is away."""
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_DIRECTORY)
    nowhere = {"Cloud": "custom", "Authority": "https://127.0.0.1:1", "Graph": "https://127.0.0.1:1/graph"}
    info = {"AgentId": SITE, "AADTenantId": SERVER, **nowhere}
    files.write(paths.AGENT_INFO, json.dumps(info).encode())
    files.write(paths.AGENT_SETTINGS, json.dumps({"SiteId": SITE, "ServerId": SERVER}).encode())
    write_pfx(files.locate(paths.AGENT_CREDENTIAL))
    return tmp_path


def test_version() -> None:
    done = subprocess.run([*PROGRAM, "version"], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == f"{__version__}\n"


def test_a_wrong_command_line_is_reported_without_boxes(tmp_path: Path) -> None:
    done = agent(tmp_path, "health", "--nonsense")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("\n\nError: No such option: --nonsense\n")
    assert agent(tmp_path, "health", "-h").returncode == 0


def test_without_registration_it_says_what_is_missing(tmp_path: Path) -> None:
    done = agent(tmp_path, "check-in")

    assert (done.returncode, done.stderr) == (10, "")
    assert done.stdout == (
        f"agent-file-missing: {paths.AGENT_INFO} is missing. "
        "Register this server: run mstunnel-setup on the host.\n"
    )


def test_health_without_a_running_agent(tmp_path: Path) -> None:
    done = agent(tmp_path, "health")

    assert (done.returncode, done.stdout) == (1, "the agent is not running\n")


def test_sigterm_ends_it_at_once_while_the_tenant_is_away(root: Path) -> None:
    command = [*PROGRAM, "run", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert eventually((root / "var/lib/mstunnel-agent/status.json").exists, 10)
        healthy = agent(root, "health")
        running.send_signal(signal.SIGTERM)
        output, errors = running.communicate(timeout=120)

    assert (running.returncode, errors) == (0, "")
    assert "Traceback" not in output
    assert healthy.returncode == 0
    assert "has not checked in yet" in healthy.stdout


def test_where_no_gateway_is_installed_it_says_so(tmp_path: Path) -> None:
    done = agent(tmp_path, "run")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no gateway is installed here" in done.stderr
    assert "Traceback" not in done.stderr
