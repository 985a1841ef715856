"""The scene of tests of the agent's rounds."""

from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import TunnelServer
from tests.unit.agent.fakes import SERVER, FakeTenant, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a server of a site with a configuration, before its first round."""
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_DIRECTORY)
    scene = Scene(files, FakeTenant(None, TunnelServer(id=SERVER, display_name="gw1")))
    scene.configure()
    return scene
