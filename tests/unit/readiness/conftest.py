"""Fixtures for tests of `mst-readiness` as a command."""

import os
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.readiness import app


@pytest.fixture
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a fake Podman that responds at once; one test uses this machine's Podman."""
    program = tmp_path_factory.mktemp("podman") / "podman"
    program.write_text("#!/bin/sh\necho 5.4.2 netavark\n")
    program.chmod(0o755)
    return program.parent


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without_proxies: None,
    podman: Path,
) -> Any:
    """Return a function that runs the command on the host below `tmp_path`: exit code, stdout, stderr."""

    monkeypatch.setenv("PATH", str(podman), prepend=os.pathsep)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mst-readiness", *arguments, "--root", str(tmp_path)])
        code = run_app(app, "mst-readiness")
        out, err = capsys.readouterr()
        return code, out, err

    return call
