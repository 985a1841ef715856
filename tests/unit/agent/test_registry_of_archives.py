"""Which registry is asked whether it answers."""

import json
from pathlib import Path

import pytest

from mstunnel_setup.agent.watch import RegistryWatch
from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files
from tests.unit.clocks import FakeClock


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("localhost/mstunnel-gateway", None),
        ("localhost:5000/gateway", "localhost:5000"),
        ("registry.example/gateway", "registry.example"),
        ("", None),
    ],
)
def test_images_of_an_archive_came_from_no_registry(tmp_path: Path, name: str, host: str | None) -> None:
    """An offline installation has images called `localhost/…`: no server has that name."""
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    files.write(paths.IMAGES_CONFIGURED, json.dumps({"serverImageName": name}).encode())
    asked: list[str] = []
    assert RegistryWatch(files, FakeClock(), asked.append).look() == host
    assert asked == ([] if host is None else [f"https://{host}/v2/"])
