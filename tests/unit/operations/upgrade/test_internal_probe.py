"""After an upgrade the gateway has to reach the internal address that it reached before."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup import paths
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.errors import NetworkError
from mstunnel_setup.gateway.report import REPORT
from mstunnel_setup.host.files import Files
from mstunnel_setup.operations.upgrade.internal_probe import reached_address, reaches_inside
from tests.unit.clocks import START, FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import context_of

URL = "http://intranet.example/"
WELL = {"http_code": 200}
REFUSED = {"http_code": 0, "exitcode": 7, "errormsg": "Failed to connect"}


class Scene:
    """A gateway that started at START."""

    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.files.make_directories(paths.SERVER_STATE)
        self.clock = FakeClock()
        state = ContainerState("running", "healthy", started_at=START + timedelta(milliseconds=700))
        engine = FakeEngine({paths.SERVER: state})
        self.context = context_of(ports_of(root, engine=engine, clock=self.clock))

    def report(self, account: dict[str, Any], after: float = 0, url: str = URL) -> None:
        """The gateway has tried, so many seconds after its start."""
        at = int(START.timestamp() + after)
        self.files.write(REPORT, f"time {at}\nprobe {at} {url} {json.dumps(account)}\n".encode())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_only_what_was_reached_has_to_be_reached_again(scene: Scene) -> None:
    assert reached_address(scene.files) == ""
    scene.report(REFUSED)
    assert reached_address(scene.files) == ""
    scene.report(WELL)
    assert reached_address(scene.files) == URL


def test_what_the_earlier_release_reached_proves_nothing(scene: Scene) -> None:
    scene.report(WELL, after=-1)
    scene.clock.during = [lambda: None, lambda: scene.report(WELL, after=6)]
    reaches_inside(scene.context, URL)
    assert len(scene.clock.naps) == 2


def test_an_unreachable_address_is_reported_with_the_message_of_curl(scene: Scene) -> None:
    scene.report(REFUSED)
    with pytest.raises(NetworkError, match=r"cannot reach .* any more: Failed to connect \(curl 7\)"):
        reaches_inside(scene.context, URL)
    assert scene.clock.elapsed > 60


def test_another_address_of_the_site_is_not_waited_for(scene: Scene) -> None:
    scene.report(REFUSED, url="http://moved.example/")
    reaches_inside(scene.context, URL)
    assert scene.clock.naps == []
