"""`mst-cli metrics`: the agent's metrics are printed or served, and no other file of its directory."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, SetupError
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations import metrics
from tests import programs
from tests.serving import free_port
from tests.unit.operations.rootless import ACCOUNT, HandedOverError, root_beside_account
from tests.unit.operators import operator_of
from tests.unit.results import lines_of

HEAD = "# HELP mstunnel_connections Connected clients.\n# TYPE mstunnel_connections gauge\n"
TEXT = f"{HEAD}mstunnel_connections 4.0\n"
PROGRAM = programs.path("mst-cli")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = Files(tmp_path)
    files.make_directories(str(Path(paths.AGENT_METRICS).parent))
    files.write(paths.AGENT_METRICS, TEXT.encode())
    return tmp_path


def test_metrics_are_printed_unchanged(root: Path) -> None:
    result = metrics.show(operator_of(root))
    assert (result.status, result.data) == ("ok", {"metrics": TEXT})
    assert lines_of(result) == TEXT.splitlines()


def test_missing_metrics_are_a_warning(root: Path) -> None:
    (root / paths.AGENT_METRICS.lstrip("/")).unlink()
    result = metrics.show(operator_of(root))
    assert (result.status, result.data, result.exit_code) == ("warning", {"metrics": None}, ExitCode.DONE)
    assert [notice.code for notice in result.warnings] == ["metrics-missing"]


def test_control_characters_in_metrics_are_removed(root: Path) -> None:
    Files(root).write(paths.AGENT_METRICS, b"mstunnel_connections 4\n\x1b]0;owned\x07\n")
    assert lines_of(metrics.show(operator_of(root))) == ["mstunnel_connections 4", "]0;owned"]


def test_symlink_instead_of_metrics_is_not_followed(root: Path) -> None:
    """The agent owns the directory, so a symlink must not expose a file that the agent cannot read."""
    path = root / paths.AGENT_METRICS.lstrip("/")
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(SetupError, match="not a regular file"):
        metrics.show(operator_of(root))


def test_current_metrics_are_served_until_a_signal(root: Path) -> None:
    port = free_port()
    command = [PROGRAM, "metrics", "--listen", f"127.0.0.1:{port}", "--root", str(root)]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as served:
        assert served.stderr
        assert served.stderr.readline() == f"Serving /metrics on 127.0.0.1:{port}.\n"
        url = f"http://127.0.0.1:{port}/metrics"
        first = requests.get(url, timeout=10)
        Files(root).write(paths.AGENT_METRICS, f"{HEAD}mstunnel_connections 5.0\n".encode())
        second = requests.get(url, timeout=10)
        (root / paths.AGENT_METRICS.lstrip("/")).unlink()
        (root / paths.AGENT_METRICS.lstrip("/")).symlink_to("/etc/hostname")
        third = requests.get(url, timeout=10)
        (root / paths.AGENT_METRICS.lstrip("/")).unlink()
        Files(root).write(paths.AGENT_METRICS, b"<html>\n")
        fourth = requests.get(url, timeout=10)
        served.send_signal(signal.SIGTERM)
        assert served.wait(timeout=120) == ExitCode.INTERRUPTED
    assert (first.text, first.headers["Content-Type"]) == (TEXT, "text/plain; version=0.0.4; charset=utf-8")
    assert (second.text, third.status_code, fourth.status_code) == (
        f"{HEAD}mstunnel_connections 5.0\n",
        503,
        503,
    )


def test_root_continues_as_the_gateway_account(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = root_beside_account(root, monkeypatch)
    for command in (metrics.show, lambda operator: metrics.serve(operator, "127.0.0.1:19469")):
        with pytest.raises(HandedOverError, match=ACCOUNT):
            command(operator)


def test_account_without_a_gateway_reads_metrics_of_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example is the account of the service in contrib/prometheus."""
    monkeypatch.setattr(paths, "ROOTLESS", True)
    monkeypatch.setattr(Files, "live", True)
    assert metrics.show(operator_of(root)).data == {"metrics": TEXT}
