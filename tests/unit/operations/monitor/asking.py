"""An agent that asks the monitor for releases, and the host that decides."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, last_reply
from mstunnel_setup.exchange.releases import CATALOGUE, Digests
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome
from mstunnel_setup.install.session import Run
from mstunnel_setup.operations.monitor.rounds import GatewayMonitor
from mstunnel_setup.operations.upgrade.run import UpgradeRequest
from tests.unit.exchange.test_record import images, upgrade
from tests.unit.install.scenes import Scene


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

    def upgrade(self, _run: Run, wish: UpgradeRequest) -> Upgrade:
        self.upgraded.append(wish.digests)
        return upgrade("b", wish.release, UpgradeOutcome.DONE)

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
