"""Fixtures for the tests of the steps."""

from pathlib import Path

import pytest

from mstunnel_setup.io.files import Files
from tests.unit.install.machines import Machine
from tests.unit.install.scenes import Scene


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a bare host with the directories of every Linux system and no proxy in the shell."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            # Setting the variable first makes monkeypatch restore it even if a step changes it.
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)
    root = tmp_path / "host"
    for name in ("etc", "root", "run", "var/lib"):
        (root / name).mkdir(parents=True)
    return Scene(root)


@pytest.fixture
def machine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a host whose files count as those of the running one."""
    monkeypatch.setattr(Files, "live", True)
    return Machine(scene)
