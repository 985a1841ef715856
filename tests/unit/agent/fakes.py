"""A tenant in memory, a clock that advances only while sleeping, an agent and its host."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from mstunnel_setup.agent.health_watch import HealthWatch
from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment, Renewal
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError, SetupError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.exchange.health_observation import SyncState
from mstunnel_setup.exchange.health_report import AgentStatus, HealthState
from mstunnel_setup.exchange.mailbox import AgentRequest, Reply
from mstunnel_setup.gateway.options import GatewayOptions
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import Configurations, digest_of
from mstunnel_setup.tenant.client_credential import Credential
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.wire import (
    HealthThreshold,
    KeyCredential,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)
from tests.unit.clocks import FakeClock

SITE = "11111111-1111-1111-1111-111111111111"
SERVER = "22222222-2222-2222-2222-222222222222"


class Ended(BaseException):
    """The end of the process, while it sleeps."""


@dataclass
class MortalClock(FakeClock):
    """A clock that ends the process after `rounds` naps."""

    rounds: int = 1000

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.naps) == self.rounds:
            raise Ended


@dataclass
class FakeTenant(Graph):
    """A site with one server. While `trouble` is set, every call, or those in `troubled`, raises it."""

    configuration: TunnelConfiguration | None
    record: TunnelServer | None
    trouble: SetupError | None = None
    check_ins: list[JsonObject] = field(default_factory=list)
    site_record: TunnelSite = field(default_factory=lambda: TunnelSite(id=SITE, display_name="Osaka"))
    limits: tuple[HealthThreshold, ...] = ()
    troubled: tuple[str, ...] = ()

    @override
    def server(self, site_id: str, server_id: str) -> TunnelServer | None:
        self._be(site_id)
        return self.record if server_id == SERVER else None

    @override
    def update_server(self, site_id: str, server_id: str, changes: TunnelServer) -> None:
        self._be(site_id)
        self.check_ins.append(changes.to_wire())

    @override
    def site(self, site_id: str) -> TunnelSite | None:
        self._be(site_id)
        return self.site_record.model_copy(update={"microsoft_tunnel_configuration": self.configuration})

    @override
    def add_key(self, object_id: str, credential: KeyCredential, proof: str) -> None:
        raise AssertionError(object_id, credential, proof)

    @override
    def servers(self, site_id: str) -> list[TunnelServer]:
        self._be(site_id, "servers")
        return [self.record] if self.record else []

    @override
    def thresholds(self) -> list[HealthThreshold]:
        self._be(SITE)
        return list(self.limits)

    def _be(self, site_id: str, call: str = "") -> None:
        if self.trouble and (not self.troubled or call in self.troubled):
            raise self.trouble
        assert site_id == SITE


class FakeWatch(HealthWatch):
    """A watch that finds this server always in the same state; `seen` has the states that it was given."""

    def __init__(self, state: HealthState, clock: Clock) -> None:
        self.state = state
        self.clock = clock
        self.seen: list[SyncState] = []

    @override
    def look(self, known: SyncState) -> None:
        self.seen.append(known)


class FakeRenewal(Renewal):
    """A renewal that renews nothing, or fails with `error`; `tried` has the servers it was called for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.tried: list[str] = []
        self._error = error

    @override
    def renew_in_time(self, enrolment: Enrolment) -> bool:
        self.tried.append(enrolment.server_id)
        if self._error is not None:
            raise self._error
        return False


_DIRECTORIES = (
    *(paths.INBOX, paths.OUTBOX, paths.SERVER_STATE, paths.STATE, paths.AGENT_STATE),
    paths.LOCK.rpartition("/")[0],
)


def host_side(files: Files, clock: Clock) -> Configurations:
    """Return the monitor of a host with an agent, whose gateway accepts everything."""
    for directory in _DIRECTORIES:
        files.make_directories(directory)
    files.write(paths.GATEWAY_SETTINGS, GatewayOptions().model_dump_json().encode())

    def taken() -> None:
        digest = digest_of(files.read(paths.OCSERV_CONF) or b"")
        files.write(REPORT, f"time {clock.now():%s}\nconfiguration {digest} applied \n".encode())

    return Configurations(files, clock, taken, lambda _line: None)


def with_host(agent: Agent) -> Agent:
    """Return the agent on a host whose monitor responds at once."""
    monitor = host_side(agent.files, agent.clock)
    configuration: Any = agent.configuration
    await_reply = configuration.await_reply

    def at_once(request: AgentRequest, _patience: float) -> Reply | None:
        monitor.look()
        # The gateway responds with its report only after the monitor's signal.
        monitor.look()
        found: Reply | None = await_reply(request, 0)
        return found

    configuration.await_reply = at_once
    return agent


AWAY = NetworkError("network-unreachable", "graph.example cannot be reached", "Check the firewall.")


def enrolment(tenant: FakeTenant, close: Callable[[], None] = lambda: None) -> Enrolment:
    """An enrolment by a secret, which has no certificate to renew."""

    def prove(_credential: Credential) -> None:
        raise AssertionError("there is no certificate to renew")

    return Enrolment(
        tenant,
        SITE,
        SERVER,
        object_id="",
        credential=None,
        credential_end=None,
        prove=prove,
        close=close,
    )


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
        return enrolment(self.tenant, self.close)

    def close(self) -> None:
        self.closed += 1

    def agent(self, watch: HealthWatch | None = None) -> Agent:
        return with_host(
            Agent(
                self.enrol, self.files, self.clock, self.log.append, self.statuses.append, Counters(), watch
            )
        )

    def live(self, rounds: int, watch: HealthWatch | None = None) -> None:
        """Run an agent until it has slept this many times."""
        self.clock.rounds = rounds
        with suppress(Ended):
            self.agent(watch).run()
            raise AssertionError("it ended by itself")

    def configure(self, **properties: object) -> None:
        document = {"id": "c1", "displayName": "Default", "network": "10.20.0.0/16", **properties}
        self.tenant.configuration = TunnelConfiguration.from_wire(document)

    def conf(self) -> str:
        return (self.files.read(paths.OCSERV_CONF) or b"").decode()

    def codes(self) -> list[str]:
        return [line.partition(":")[0] for line in self.log]
