"""A monitor of a host whose containers are well, and an agent that asks it for releases."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, last_reply
from mstunnel_setup.exchange.releases import CATALOGUE, Digests
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome
from mstunnel_setup.install import session
from mstunnel_setup.install.session import Run
from mstunnel_setup.operations.monitor import rounds
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from mstunnel_setup.operations.upgrade import run
from tests.unit.clocks import FakeClock
from tests.unit.exchange.test_record import images, upgrade
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.install.scenes import Scene, container
from tests.unit.operators import operator_of

SERVER_UNIT = f"{paths.SERVER}.service"


@dataclass
class Asking:
    """A host that runs release b of the releases a, b and c, and an agent that is not to be trusted."""

    scene: Scene
    monitor: GatewayMonitor
    upgraded: list[Digests] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files, self.clock = self.scene.files, self.scene.clock
        for directory in (paths.INBOX, paths.OUTBOX, paths.STATE):
            self.files.make_directories(directory)
        table = '[[release]]\nlabel = "{0}"\npublished = 2026-0{1}-01\nserver = "{2}"\nagent = "{2}"\n'
        releases = [table.format(name, month + 1, digest(name)) for month, name in enumerate("abc")]
        self.files.make_directories(CATALOGUE.rpartition("/")[0])
        self.files.write(CATALOGUE, "".join(releases).encode())

    @contextmanager
    def opened(self, *_arguments: object) -> Iterator[Run]:
        yield self.scene.opened()

    def upgrade(self, _run: Run, release: str, digests: Digests, *_by: str, **_options: int) -> Upgrade:
        self.upgraded.append(digests)
        return upgrade("b", release, UpgradeOutcome.DONE)

    def write(self, name: str, seconds_ago: float = 0) -> None:
        self.files.write(UPGRADE.request, AgentRequest.to_upgrade(images(name).digests).payload)
        at = self.clock.now().timestamp() - seconds_ago
        os.utime(self.files.locate(UPGRADE.request), (at, at))

    def ask(self, name: str) -> str | None:
        """Have the monitor look a minute later; returns what became of the request."""
        self.clock.elapsed += 60
        self.write(name)
        self.monitor.round()
        answer = last_reply(self.files, UPGRADE)
        return answer.reason if answer else None


def digest(name: str) -> str:
    return f"sha256:{name * 64}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(elapsed=1000.0)


class WatchedEngine(FakeEngine):
    """It counts how often someone looked at the server."""

    looks = 0

    def inspect(self, name: str) -> ContainerState | None:
        self.looks += name == paths.SERVER
        return super().inspect(name)


@pytest.fixture
def engine() -> WatchedEngine:
    return WatchedEngine({paths.SERVER: container(), paths.AGENT: container()}, passes=True)


@pytest.fixture
def systemd() -> FakeSystemd:
    """The server's service runs until a test stops it."""
    return FakeSystemd(units={SERVER_UNIT}, running_units={SERVER_UNIT})


@pytest.fixture
def monitor(
    *,
    tmp_path: Path,
    said: list[str],
    clock: FakeClock,
    engine: WatchedEngine,
    systemd: FakeSystemd,
    monkeypatch: pytest.MonkeyPatch,
) -> GatewayMonitor:
    """A monitor of a host whose catalogue can be spoiled."""
    host = ports_of(tmp_path, engine=engine, systemd=systemd, clock=clock)
    monkeypatch.setattr(rounds, "open_host", lambda _operator: nullcontext(host))
    return GatewayMonitor(operator_of(tmp_path, clock=clock), said.append)


@pytest.fixture
def asking(
    monitor: GatewayMonitor, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Asking:
    scene = Asking(Scene(tmp_path, clock=clock), monitor)
    monkeypatch.setattr(session, "open_run", scene.opened)
    monkeypatch.setattr(run, "running", lambda _run: images("b"))
    monkeypatch.setattr(run, "upgrade_to", scene.upgrade)
    return scene
