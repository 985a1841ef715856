"""Shared by the tests of the steps."""

from pathlib import Path

import pytest

from mstunnel_setup.io.files import Files
from tests.unit.install.machines import Machine
from tests.unit.install.scenes import Scene


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A bare host: the directories that every Linux has, and no proxy in the shell."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            # Set first, so that it is put back even when a step sets it.
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)
    root = tmp_path / "host"
    for name in ("etc", "root", "run", "var/lib"):
        (root / name).mkdir(parents=True)
    return Scene(root)


@pytest.fixture
def machine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A host whose files count as those of the running one."""
    monkeypatch.setattr(Files, "live", True)
    return Machine(scene)
