"""The program as run by the container, in a process, and its output within this one."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.cli import agent as program
from mstunnel_setup.io.files import Files
from tests.testbed.waiting import eventually
from tests.unit.agent.fakes import SERVER, SITE
from tests.unit.tenant.credentials import write_pfx

PROGRAM = [sys.executable, "-c", "from mstunnel_setup.cli.agent import main; main()"]
Agent: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Agent:
    """Return a function that runs the program here and returns exit code, stdout and stderr."""
    # keep_private() would deny readers the memory of all tests.
    monkeypatch.setattr(program, "keep_private", lambda: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mstunnel-agent", *arguments])
        with pytest.raises(SystemExit) as ended:
            program.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a gateway whose tenant is unreachable."""
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_DIRECTORY)
    nowhere = {"Cloud": "custom", "Authority": "https://127.0.0.1:1", "Graph": "https://127.0.0.1:1/graph"}
    info = {"AgentId": SITE, "AADTenantId": SERVER, **nowhere}
    files.write(paths.AGENT_INFO, json.dumps(info).encode())
    files.write(paths.AGENT_SETTINGS, json.dumps({"SiteId": SITE, "ServerId": SERVER}).encode())
    write_pfx(files.locate(paths.AGENT_CREDENTIAL))
    return tmp_path


def test_version_is_printed(agent: Agent) -> None:
    assert agent("version") == (0, f"{__version__}\n", "")


def test_a_wrong_command_line_is_reported_without_boxes(agent: Agent) -> None:
    code, output, errors = agent("health", "--nonsense")

    assert (code, output) == (2, "")
    assert errors.endswith("\n\nError: No such option: --nonsense\n")
    assert agent("health", "-h")[0] == 0


def test_missing_registration_is_reported(agent: Agent, tmp_path: Path) -> None:
    code, output, errors = agent("check-in", "--root", str(tmp_path))

    assert (code, errors) == (10, "")
    assert output == (
        f"agent-file-missing: {paths.AGENT_INFO} is missing. "
        "Register this server: run mstunnel-setup on the host.\n"
    )


def test_health_without_a_running_agent(agent: Agent, tmp_path: Path) -> None:
    assert agent("health", "--root", str(tmp_path)) == (1, "the agent is not running\n", "")


def test_sigterm_ends_the_agent_while_the_tenant_is_away(root: Path) -> None:
    command = [*PROGRAM, "run", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert eventually((root / "var/lib/mstunnel-agent/status.json").exists, 10)
        command[len(PROGRAM)] = "health"
        healthy = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        running.send_signal(signal.SIGTERM)
        output, errors = running.communicate(timeout=120)

    assert (running.returncode, errors) == (0, "")
    assert "Traceback" not in output
    assert healthy.returncode == 0
    assert "has not checked in yet" in healthy.stdout


def test_missing_gateway_is_reported(agent: Agent, tmp_path: Path) -> None:
    code, output, errors = agent("run", "--root", str(tmp_path))

    assert (code, output) == (3, "")
    assert "no gateway is installed here" in errors
    assert "Traceback" not in errors
