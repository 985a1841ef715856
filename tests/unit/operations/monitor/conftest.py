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
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Digests
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome
from mstunnel_setup.install import session
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor import monitor_context
from mstunnel_setup.operations.monitor.loop import GatewayMonitor
from mstunnel_setup.operations.upgrade import run
from tests.unit.clocks import FakeClock
from tests.unit.exchange.test_record import images, upgrade
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.install.scenes import Scene, container
from tests.unit.operators import operator_of

SERVER_UNIT = f"{paths.SERVER}.service"


class WatchedEngine(FakeEngine):
    """It counts how often someone looked at the server."""

    looks = 0

    def inspect(self, name: str) -> ContainerState | None:
        self.looks += name == paths.SERVER
        return super().inspect(name)


def well() -> WatchedEngine:
    return WatchedEngine({paths.SERVER: container(), paths.AGENT: container()}, passes=True)


def running() -> FakeSystemd:
    """The server's service runs until a test stops it."""
    return FakeSystemd(units={SERVER_UNIT}, running_units={SERVER_UNIT})


@dataclass
class Watched:
    """A host whose containers are well, with its monitor and what that said."""

    root: Path
    clock: FakeClock
    engine: WatchedEngine = field(default_factory=well)
    systemd: FakeSystemd = field(default_factory=running)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = Files(self.root)
        self.monitor = GatewayMonitor(operator_of(self.root, clock=self.clock), self.said.append)

    @property
    def codes(self) -> list[str]:
        """Of the lines that the monitor has said."""
        return [line.partition(":")[0] for line in self.said]

    def rounds(self, *times: float) -> None:
        """Have the monitor look at each of these times."""
        for self.clock.elapsed in times:
            self.monitor.round()


@dataclass
class Asking(Watched):
    """A host that runs release b of the releases a, b and c, and an agent that is not to be trusted."""

    upgraded: list[Digests] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        for directory in (paths.INBOX, paths.OUTBOX, paths.STATE):
            self.files.make_directories(directory)
        table = '[[release]]\nlabel = "{0}"\npublished = 2026-0{1}-01\nserver = "{2}"\nagent = "{2}"\n'
        releases = [table.format(name, month + 1, digest(name)) for month, name in enumerate("abc")]
        self.files.make_directories(CATALOGUE.rpartition("/")[0])
        self.files.write(CATALOGUE, "".join(releases).encode())

    @contextmanager
    def opened(self, *_arguments: object) -> Iterator[Run]:
        yield Scene(self.root, clock=self.clock).opened()

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
def clock() -> FakeClock:
    return FakeClock(elapsed=1000.0)


def opened_by_monitor(host: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = ports_of(host.root, engine=host.engine, systemd=host.systemd, clock=host.clock)
    monkeypatch.setattr(monitor_context, "open_host", lambda _operator: nullcontext(ports))


@pytest.fixture
def watched(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Watched:
    host = Watched(tmp_path, clock)
    opened_by_monitor(host, monkeypatch)
    return host


@pytest.fixture
def asking(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Asking:
    host = Asking(tmp_path, clock)
    opened_by_monitor(host, monkeypatch)
    monkeypatch.setattr(session, "open_run", host.opened)
    monkeypatch.setattr(run, "running", lambda _run: images("b"))
    monkeypatch.setattr(run, "upgrade_to", host.upgrade)
    return host
