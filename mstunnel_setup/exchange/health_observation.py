"""The agent's observations of this server, by which the rows of its health are judged."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import LATEST_PROBE, LATEST_REPORT, GatewayReport, Probe
from mstunnel_setup.exchange.health_report import SyncFailure

if TYPE_CHECKING:
    from mstunnel_setup.tenant.wire import HealthThreshold


@dataclass(frozen=True, kw_only=True)
class MachineLoad:
    """Figures of this machine; None is what could not be read. Percentages are averages of five minutes."""

    cores: int | None
    cpu_percent: float | None
    memory_percent: float | None
    disk_free_bytes: int | None
    throughput_bits: float | None


@dataclass(frozen=True)
class GatewayCertificate:
    """The certificate in use: its lifetime, its revocation as of the last query, or why that is unknown."""

    end: datetime | None = None
    revocation: RevocationState | None = None
    problem: str = ""
    start: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SyncState:
    """The facts that the agent has learnt from the tenant since its start; None if not yet.

    `probe_url` has been judged; `probe_problem` is why the site's own is not used, empty when it is.
    `releases_behind` counts releases newer than this one; `refusal` is why the tenant's configuration is not
    in use; `last_error` is what went wrong in the last round, None when nothing did.
    """

    last_check_in: datetime | None = None
    probe_url: str | None = None
    probe_problem: str = ""
    releases_behind: int | None = None
    thresholds: "tuple[HealthThreshold, ...]" = ()
    configuration_id: str | None = None
    refusal: str | None = None
    agent_certificate_end: datetime | None = None
    last_error: SyncFailure | None = None


@dataclass(frozen=True, kw_only=True)
class Observation(SyncState):
    """Everything the rows are judged by; None is what is not known.

    What the agent finds here has no defaults: a fact that it does not gather would pass for an unknown one.
    """

    now: datetime
    started: datetime
    machine: MachineLoad
    report: GatewayReport | None
    certificate: GatewayCertificate
    proxy: str | None
    registry: str | None
    last_registry_contact: datetime | None
    registry_problem: str


def current_report(seen: Observation) -> GatewayReport | None:
    """Return the gateway's report, unless it is too old to say anything about now."""
    report = seen.report
    return report if report is not None and abs(seen.now - report.at) <= LATEST_REPORT else None


def current_probe(seen: Observation) -> Probe | None:
    """Return the gateway's last try of the site's internal address, unless it is too old."""
    report = current_report(seen)
    probe = None if report is None else report.probe
    if probe is None or probe.url != seen.probe_url or abs(seen.now - probe.at) > LATEST_PROBE:
        return None
    return probe
