"""A week without the tenant: the server is served and watched, and in step when the tenant returns."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.agent.health_watch import HealthWatch
from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.exchange.health_report import AgentStatus, HealthState, agent_condition, read_health
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import Configurations
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelServer
from tests.parameters import sample
from tests.unit.agent.fakes import SERVER, Ended, FakeTenant, enrolment, host_side
from tests.unit.clocks import FakeClock
from tests.unit.present import present

DAY = 86_400.0


def away() -> NetworkError:
    """Return a new error: an exception that is raised again keeps its earlier traceback."""
    return NetworkError("network-unreachable", "graph.example cannot be reached", "Check the firewall.")


@dataclass
class Week(FakeClock):
    """An hour with the tenant, `days` without, and an hour with it; objects are counted every day."""

    tenant: FakeTenant = field(default_factory=lambda: FakeTenant(None, None))
    objects: list[int] = field(default_factory=list)
    statuses: list[AgentStatus] = field(default_factory=list)
    monitor: Configurations | None = None
    days: int = 7

    def sleep(self, seconds: float) -> None:
        before, self.elapsed = self.elapsed, self.elapsed + seconds
        self.tenant.trouble = away() if 3600 < self.elapsed < 3600 + self.days * DAY else None
        # Without the tenant nothing is handed over, so the counted objects are those of the agent.
        if self.monitor is not None and self.tenant.trouble is None:
            self.monitor.look()
        healthy, _ = agent_condition(self.statuses[-1], self.now())
        assert healthy, "a restart would not bring the tenant back"
        if self.elapsed // DAY > before // DAY:
            self.objects.append(sys.getallocatedblocks())
        if self.elapsed > 7200 + self.days * DAY:
            raise Ended


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """Return a disk in memory: the agent writes its report ten thousand times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def refuse(_address: str) -> None:
    raise away()


@pytest.mark.parametrize("days", sample([3, 7], kept=(3,)))
def test_agent_survives_days_without_the_tenant(root: Path, days: int) -> None:
    files, log, counters = Files(root), list[str](), Counters()
    for directory in (paths.AGENT_DIRECTORY, paths.AGENT_STATE):
        files.make_directories(directory)
    document = {"id": "c1", "displayName": "Default", "network": "10.20.0.0/16"}
    tenant = FakeTenant(TunnelConfiguration.from_wire(document), TunnelServer(id=SERVER, display_name="gw1"))
    clock = Week(tenant=tenant, days=days)
    clock.monitor = host_side(files, clock)
    watch = HealthWatch(files, clock, log.append, counters, refuse)

    def note(status: AgentStatus) -> None:
        clock.statuses[:] = [status]

    def enrol() -> Enrolment:
        if tenant.trouble:
            raise away()
        return enrolment(tenant)

    with pytest.raises(Ended):
        Agent(enrol, files, clock, log.append, note, counters, watch).run()

    print(len(log), Counter(line.partition(":")[0] for line in log), clock.objects, counters)
    assert counters.failed_check_ins > 2000 * days / 7
    assert counters.check_ins > 100
    # The log has a line when the tenant goes, one when it returns, and changes of the server's health.
    assert len(log) < 20
    assert [line.partition(":")[0] for line in log].count("recovered") == 1
    assert max(clock.objects[1:]) - min(clock.objects[1:]) < 200
    assert b"10.20.0.0" in (files.read(paths.OCSERV_CONF) or b"")
    rows = {row.id: row.state for row in present(read_health(files)).rows}
    assert (rows["last-check-in"], rows["server-configuration"]) == (HealthState.HEALTHY, HealthState.HEALTHY)
