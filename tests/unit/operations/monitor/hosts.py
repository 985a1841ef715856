"""A host whose monitor serves what the agent hands over, and a gateway that tests what it finds."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.exchange.mailbox import CONFIGURATION, AgentRequest, Reply, reply_to
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.options import GatewayOptions
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import Configurations, digest_of
from tests.unit.clocks import FakeClock

DIRECTORIES = (
    *(paths.INBOX, paths.OUTBOX, paths.AGENT_DIRECTORY, paths.SERVER_STATE, paths.AGENT_STATE, paths.STATE),
    paths.LOCK.rpartition("/")[0],
)


def document(**properties: Any) -> dict[str, Any]:
    return {"id": "c1", "displayName": "Default", "network": "10.1.0.0/16", **properties}


@dataclass
class Host(FakeClock):
    """Its gateway checks on a signal, while it is `alive`, and refuses what contains `refused`."""

    files: Files = field(default_factory=Files)
    refused: str = "10.66."
    alive: bool = True
    answers: bool = True
    log: list[str] = field(default_factory=list)
    looks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Install the first configuration, as `mstunnel-setup` does."""
        self.files.root.mkdir(parents=True, exist_ok=True)
        for directory in DIRECTORIES:
            self.files.make_directories(directory)
        self.inform(GatewayOptions())
        first = rendering.render(ServerConfiguration.from_wire(document()), GatewayOptions())
        rendering.write(self.files, first.files)
        self.gateway_looks()
        self.looks.clear()
        self.restart()

    def inform(self, options: GatewayOptions) -> None:
        """What the installer recorded of this host."""
        self.files.write(paths.GATEWAY_SETTINGS, options.model_dump_json().encode())

    def restart(self) -> None:
        """Start the monitor again; what it knew in memory is gone."""
        self.monitor = Configurations(self.files, self, self.gateway_looks, self.log.append)

    def gateway_looks(self) -> None:
        """What the gateway does with its files, and what it reports."""
        if not self.alive:
            return
        content = self.conf()
        self.looks.append(content)
        outcome = "refused line 3: bad" if self.refused in content.decode() else "applied "
        if self.answers:
            report = f"time {self.now():%s}\nconfiguration {digest_of(content)} {outcome}\n"
            self.files.write(REPORT, report.encode())

    def hand(self, content: bytes) -> None:
        self.files.write(CONFIGURATION.request, content)

    def give(self, probe_url: str = "", **properties: Any) -> Reply:
        """Hand a configuration over and have the monitor look; what it replies."""
        request = AgentRequest.to_configure(document(**properties), probe_url)
        self.hand(request.payload)
        self.monitor.look()
        reply = reply_to(self.files, request)
        assert reply is not None
        return reply

    def pull(self, **properties: Any) -> None:
        """What `mst-cli config pull` does once the check of the gateway's image is passed."""
        self.files.remove(paths.SERVED_CONFIGURATION)
        self.write(**properties)

    def write(self, **properties: Any) -> None:
        """Another program writes a configuration, and the gateway finds it."""
        found = rendering.render(ServerConfiguration.from_wire(document(**properties)), GatewayOptions())
        rendering.write(self.files, found.files)
        self.gateway_looks()

    def conf(self) -> bytes:
        return self.files.read(paths.OCSERV_CONF) or b""

    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.files.read(paths.ADMIN_SETTINGS) or b"{}"))

    def later(self, **times: float) -> None:
        """Time passes; a gateway that lives reports meanwhile."""
        self.elapsed += timedelta(**times).total_seconds()
