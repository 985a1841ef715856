"""The agent's observations of a server, for tests of their rows and metrics."""

from datetime import datetime, timedelta
from typing import Any

from mstunnel_setup.agent.metrics import Counters, Round
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import GatewayReport, Probe
from mstunnel_setup.exchange.health_observation import GatewayCertificate, MachineLoad, Observation
from mstunnel_setup.exchange.health_report import Thresholds
from mstunnel_setup.exchange.health_rows import judge_rows

URL = "http://intranet.example/"
NO_FIGURES = MachineLoad(
    cores=None, cpu_percent=None, memory_percent=None, disk_free_bytes=None, throughput_bits=None
)


def observation(now: datetime, **facts: Any) -> Observation:
    """A server of which only these facts are known, its agent started `now` unless they say otherwise."""
    nothing: dict[str, Any] = {
        "started": now,
        "machine": NO_FIGURES,
        "report": None,
        "certificate": GatewayCertificate(),
        "proxy": None,
        "registry": None,
        "last_registry_contact": None,
        "registry_problem": "",
    }
    return Observation(now=now, **{**nothing, **facts})


def everything(now: datetime, connections: int = 1240, transferred: int = 8_000_000_000) -> Observation:
    """Return a complete observation of a server, whose CPU load grows with the connected devices."""
    account: JsonObject = {"http_code": 200, "time_namelookup": 0.001, "time_connect": 0.0052}
    return observation(
        now,
        started=now - timedelta(days=3),
        last_check_in=now - timedelta(seconds=20),
        machine=MachineLoad(
            cores=4,
            cpu_percent=5 + connections / 40,
            memory_percent=41.5,
            disk_free_bytes=37 * 1024**3,
            throughput_bits=310e6,
        ),
        report=GatewayReport(now, None, connections, transferred, ("10.0.0.53",), Probe(now, URL, account)),
        agent_certificate_end=now + timedelta(days=300),
        certificate=GatewayCertificate(
            now + timedelta(days=24), RevocationState.GOOD, start=now - timedelta(days=66)
        ),
        probe_url=URL,
        registry="registry.example",
        last_registry_contact=now - timedelta(minutes=2),
        releases_behind=1,
        configuration_id="c1",
    )


def a_round(observation: Observation, counters: Counters | None = None) -> Round:
    """Return the agent's round with this observation."""
    return Round(observation, judge_rows(observation, Thresholds()), counters or Counters(check_ins=4320))
