"""A tenant in memory, a clock that moves only during a sleep, and parts of an agent that obey a test."""

from dataclasses import dataclass, field

from typing_extensions import override

from mstunnel_setup.agent.health_rows import SyncState
from mstunnel_setup.agent.tenant import Enrolment, Renewal
from mstunnel_setup.agent.watch import HealthWatch
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.health_report import HealthState
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
    """The process is ended while it sleeps."""


@dataclass
class MortalClock(FakeClock):
    """Ends the process after `rounds` naps."""

    rounds: int = 1000

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.naps) == self.rounds:
            raise Ended


@dataclass
class FakeTenant(Graph):
    """One site with one server. `trouble` is raised by every call while it is set, or by those `troubled`."""

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
    """Finds this server in the same state at every look; `seen` is what it was shown."""

    def __init__(self, state: HealthState) -> None:
        self.state = state
        self.seen: list[SyncState] = []

    @override
    def look(self, known: SyncState) -> None:
        self.seen.append(known)


class FakeRenewal(Renewal):
    """Never renews anything, or fails with `error`; `tried` are the servers it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.tried: list[str] = []
        self._error = error

    @override
    def renew_in_time(self, enrolment: Enrolment) -> bool:
        self.tried.append(enrolment.server_id)
        if self._error is not None:
            raise self._error
        return False
