"""After an upgrade the gateway has to reach the internal address that it reached before."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.upgrade.proof import reached_address, reaches_inside
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
        self.files.make_directories(paths.CONFIGURATION)
        self.files.write(paths.PROBE_URL, f"{URL}\n".encode())
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
    assert reached_address(scene.files, START) == ""
    scene.report(REFUSED)
    assert reached_address(scene.files, START) == ""
    scene.report(WELL)
    assert reached_address(scene.files, START) == URL


@pytest.mark.parametrize("given", [b"", b"\n", b"http://moved.example/\n", None])
def test_an_address_that_the_host_did_not_write_has_to_be_reached_by_no_release(
    scene: Scene, given: bytes | None
) -> None:
    """A gateway that was taken over would prevent every upgrade with it."""
    if given is None:
        scene.files.remove(paths.PROBE_URL)
    else:
        scene.files.write(paths.PROBE_URL, given)
    scene.report(WELL)
    assert reached_address(scene.files, START) == ""


def test_what_is_no_report_prevents_no_upgrade(scene: Scene) -> None:
    scene.files.make_directories(REPORT)
    assert reached_address(scene.files, START) == ""


@pytest.mark.parametrize(("minutes", "counts"), [(-12, False), (-10, True), (10, True), (12, False)])
def test_only_what_was_reached_lately_has_to_be_reached_again(
    scene: Scene, minutes: int, counts: bool
) -> None:
    scene.report(WELL, after=60 * minutes)
    assert reached_address(scene.files, START) == (URL if counts else "")


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
