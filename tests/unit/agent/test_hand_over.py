"""A configuration is tested by the gateway; a refused one makes room for the one before it."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup import paths
from mstunnel_setup.agent import sync
from mstunnel_setup.agent.apply import PREVIOUS, Applier
from mstunnel_setup.agent.counters import Counters
from mstunnel_setup.agent.gateway_report import REPORT
from mstunnel_setup.agent.sync import Wanted, wanted
from mstunnel_setup.gateway.ocserv_conf import GatewayOptions
from mstunnel_setup.host.files import Files
from tests.unit.clocks import FakeClock


@dataclass
class Gateway(FakeClock):
    """A gateway that looks at its configuration after a while, and refuses what names `refused`."""

    files: Files = field(default_factory=Files)
    refused: str = "10.66."
    looks_after: float = 5.0
    alive: bool = True

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.alive and self.elapsed >= self.looks_after:
            self.look()

    def look(self) -> None:
        content = self.files.read(paths.OCSERV_CONF) or b""
        digest = hashlib.sha256(content).hexdigest()
        outcome = "refused line 3: bad" if self.refused in content.decode() else "applied "
        self.files.write(REPORT, f"time 1\nconfiguration {digest} {outcome}\n".encode())


@dataclass
class Scene:
    files: Files
    gateway: Gateway
    log: list[str] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)

    def applier(self) -> Applier:
        return Applier(self.files, self.gateway, self.log.append, self.counters)

    def conf(self) -> bytes:
        return self.files.read(paths.OCSERV_CONF) or b""

    def codes(self) -> list[str]:
        return [line.partition(":")[0] for line in self.log]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    files = Files(tmp_path)
    for folder in (paths.AGENT_FOLDER, paths.SERVER_STATE, paths.AGENT_STATE):
        files.make_directories(folder)
    scene = Scene(files, Gateway(files=files))
    sync.write(files, wish("10.1.0.0/16").files)
    scene.gateway.look()
    return scene


def wish(network: str) -> Wanted:
    return wanted({"network": network}, GatewayOptions())


def test_the_gateway_s_word_is_waited_for(scene: Scene) -> None:
    applier = scene.applier()
    applier.apply(wish("10.2.0.0/16"))

    assert applier.refusal is None
    assert scene.gateway.elapsed == 5
    assert scene.codes() == ["configuration-written", "configuration-applied"]
    assert scene.counters.configurations_applied == 1
    assert b"10.1.0.0" in (scene.files.read(PREVIOUS[paths.OCSERV_CONF]) or b"")


def test_a_refused_one_is_taken_back_and_not_tried_again(scene: Scene) -> None:
    before = scene.conf()
    applier = scene.applier()
    for _ in range(3):
        applier.apply(wish("10.66.0.0/16"))
        scene.gateway.look()

    assert applier.refusal == "line 3: bad"
    assert scene.conf() == before
    assert json.loads(scene.files.read(paths.ADMIN_SETTINGS) or b"")["Network"] == "10.1.0.0/16"
    assert scene.codes() == ["configuration-written", "configuration-refused"]
    assert scene.counters.configurations_refused == 1

    again = scene.applier()
    again.apply(wish("10.66.0.0/16"))
    assert again.refusal == "line 3: bad", "an agent that was started anew knows it too"
    assert scene.codes().count("configuration-refused") == 2, "and says it once more"
    assert scene.conf() == before

    again.apply(wish("10.3.0.0/16"))
    assert again.refusal is None
    assert b"10.3.0.0" in scene.conf()


def test_killed_between_the_refusal_and_the_way_back(scene: Scene) -> None:
    """The next start finds the refused file in place, and the gateway's word on it."""
    before = scene.conf()
    applier = scene.applier()
    applier._write(sync.current(scene.files), sync.decide(sync.current(scene.files), wish("10.66.0.0/16")))
    scene.gateway.look()

    again = scene.applier()
    again.apply(wish("10.66.0.0/16"))

    assert again.refusal == "line 3: bad"
    assert scene.conf() == before


def test_a_gateway_that_is_down_is_not_waited_for_longer(scene: Scene) -> None:
    scene.gateway.alive = False
    applier = scene.applier()
    applier.apply(wish("10.2.0.0/16"))

    assert scene.gateway.elapsed == 20
    assert applier.refusal is None
    assert b"10.2.0.0" in scene.conf()

    scene.files.remove(REPORT)
    applier.apply(wish("10.4.0.0/16"))
    assert scene.gateway.elapsed == 20, "without any report there is nobody to wait for"


def test_a_late_refusal_is_heard_in_a_later_round(scene: Scene) -> None:
    before = scene.conf()
    scene.gateway.looks_after = 1000
    applier = scene.applier()
    applier.apply(wish("10.66.0.0/16"))
    assert scene.conf() != before

    scene.gateway.look()
    applier.apply(wish("10.66.0.0/16"))

    assert applier.refusal == "line 3: bad"
    assert scene.conf() == before


def test_the_first_configuration_of_all_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for folder in (paths.AGENT_FOLDER, paths.SERVER_STATE):
        files.make_directories(folder)
    scene = Scene(files, Gateway(files=files))
    files.write(REPORT, b"time 1\n")
    applier = scene.applier()
    applier.apply(wish("10.66.0.0/16"))

    assert applier.refusal == "line 3: bad"
    assert b"10.66.0.0" in scene.conf()


def test_a_port_that_waits_for_the_host_is_a_configuration_not_in_use(scene: Scene) -> None:
    applier = scene.applier()
    waiting = wanted({"network": "10.1.0.0/16", "listenPort": 8443}, GatewayOptions(), 443)
    applier.apply(waiting)
    applier.apply(waiting)

    assert "wants port 8443" in str(applier.refusal)
    assert scene.codes() == ["listen-port-changed", "configuration-written"]
    assert json.loads(scene.files.read(paths.ADMIN_SETTINGS) or b"")["ListenPort"] == 8443
    assert b"tcp-port = 443\n" in scene.conf()
