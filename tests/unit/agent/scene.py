"""An agent with a tenant in memory, and what it did."""

from dataclasses import dataclass, field

from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.agent.watch import HealthWatch
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.exchange.status_file import AgentStatus
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import TunnelConfiguration
from tests.unit.agent.fakes import SERVER, SITE, FakeTenant, MortalClock
from tests.unit.agent.host_side import with_host

AWAY = NetworkError("network-unreachable", "graph.example cannot be reached", "Check the firewall.")


@dataclass
class Scene:
    files: Files
    tenant: FakeTenant
    clock: MortalClock = field(default_factory=MortalClock)
    log: list[str] = field(default_factory=list)
    statuses: list[AgentStatus] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    closed: int = 0

    @property
    def enrolments(self) -> int:
        return len(self.attempts)

    def enrol(self) -> Enrolment:
        self.attempts.append(self.clock.elapsed)
        return Enrolment(self.tenant, SITE, SERVER, close=self.close)

    def close(self) -> None:
        self.closed += 1

    def agent(self, watch: HealthWatch | None = None) -> Agent:
        return with_host(
            Agent(
                self.enrol, self.files, self.clock, self.log.append, self.statuses.append, Counters(), watch
            )
        )

    def configure(self, **properties: object) -> None:
        document = {"id": "c1", "displayName": "Default", "network": "10.20.0.0/16", **properties}
        self.tenant.configuration = TunnelConfiguration.from_wire(document)

    def conf(self) -> str:
        return (self.files.read(paths.OCSERV_CONF) or b"").decode()

    def codes(self) -> list[str]:
        return [line.partition(":")[0] for line in self.log]
