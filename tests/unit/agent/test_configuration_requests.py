"""The agent hands data over and reads the result; it writes no file of the gateway."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.agent.loop import ConfigurationRequests
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.exchange.mailbox import CONFIGURATION
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.operations.monitor.hosts import Host, document


@dataclass
class Beside(Host):
    """A host whose monitor, if it runs, looks every eight seconds while the agent waits."""

    runs: bool = True

    def sleep(self, seconds: float) -> None:
        before = self.elapsed
        super().sleep(seconds)
        if self.runs and self.elapsed // 8 > before // 8:
            self.monitor.look()


@dataclass
class Scene:
    host: Beside
    log: list[str] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.agent = ConfigurationRequests(self.host.files, self.host, self.log.append, self.counters)

    def give(self, **properties: Any) -> str | None:
        """Hand a configuration over; return the reason why it is not in use, None if it is."""
        self.agent.request(document(**properties), "")
        return self.agent.refusal

    def codes(self) -> list[str]:
        return [line.partition(":")[0] for line in self.log]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Beside(files=Files(tmp_path)))


def test_configuration_is_applied_in_seconds_and_reported_once(scene: Scene) -> None:
    assert scene.give(network="10.2.0.0/16") is None
    assert scene.host.elapsed <= 9
    assert scene.give(network="10.2.0.0/16") is None
    assert b"10.2.0.0" in scene.host.conf()
    assert scene.codes() == ["configuration-handed-over", "configuration-applied"]
    assert (scene.counters.configurations_applied, scene.counters.configurations_refused) == (1, 0)


def test_agent_writes_only_its_own_data(scene: Scene) -> None:
    scene.host.runs = False
    before = scene.host.conf()
    scene.give(network="10.2.0.0/16")
    assert scene.host.conf() == before
    handed = json.loads(scene.host.files.read(CONFIGURATION.request) or b"")
    assert handed == {"version": 1, "configuration": document(network="10.2.0.0/16"), "probe_url": ""}


def test_refused_configuration_is_reported_once_per_start(scene: Scene) -> None:
    for _ in range(3):
        assert "line 3: bad" in str(scene.give(network="10.66.0.0/16"))
    assert scene.codes() == ["configuration-handed-over", "configuration-refused"]
    assert scene.counters.configurations_refused == 1
    scene.restart()
    assert "line 3: bad" in str(scene.give(network="10.66.0.0/16"))
    assert scene.codes().count("configuration-refused") == 2
    assert scene.give(network="10.3.0.0/16") is None


def test_stopped_monitor_is_reported_and_not_always_awaited(scene: Scene) -> None:
    scene.host.runs = False
    assert scene.give(network="10.2.0.0/16") is None
    assert scene.host.elapsed == 30
    refusals = []
    for _ in range(6):
        scene.host.elapsed += 60
        refusals.append(scene.give(network="10.2.0.0/16"))
    assert scene.host.elapsed == 390
    assert "`mst-cli status` on the host shows how to start it" in str(refusals[-1]), "with root or without"
    scene.host.monitor.look()
    assert scene.give(network="10.2.0.0/16") is None


def test_configuration_is_applied_while_the_gateway_is_down(scene: Scene) -> None:
    scene.host.alive = False
    scene.host.later(minutes=5)
    assert scene.give(network="10.2.0.0/16") is None
    assert b"10.2.0.0" in scene.host.conf()


def test_invalid_configuration_is_not_handed_over(scene: Scene) -> None:
    faults = {
        "configuration-invalid": {"network": "1.2.3.4"},
        "configuration-too-large": {"description": "x" * CONFIGURATION.largest},
    }
    for code, properties in faults.items():
        with refused(TenantError, code):
            scene.give(**properties)
    assert scene.host.files.state(CONFIGURATION.request) is None


def test_configuration_beyond_the_change_limit_waits(scene: Scene) -> None:
    refusals = [scene.give(network=f"10.{number}.0.0/16") for number in range(2, 7)]
    assert "too many changes" in str(refusals[-1])
    assert scene.codes()[-1] == "configuration-waits"


def test_new_port_waits_for_the_host(scene: Scene) -> None:
    for _ in range(2):
        assert "is configured for port 8443" in str(scene.give(listenPort=8443, dnsServers=["10.20.0.53"]))
    assert scene.codes().count("listen-port-changed") == 1
    assert {b"tcp-port = 443", b"dns = 10.20.0.53"} <= {*scene.host.conf().splitlines()}


def test_nothing_is_written_without_a_mailbox(scene: Scene) -> None:
    scene.host.files.remove_tree(paths.MESSAGES)
    scene.give(network="10.2.0.0/16")
    assert scene.host.files.state(paths.MESSAGES) is None
