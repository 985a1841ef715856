"""Metrics for Prometheus: one declared table, the source of the text file and the reference page.

The file is for the textfile collector of a node exporter and `mst-cli metrics`; the agent does not listen.
Names follow https://prometheus.io/docs/practices/naming/: base units, times as Unix time, counts as counters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mstunnel_setup import __version__
from mstunnel_setup.exchange.health_observation import Observation, current_report
from mstunnel_setup.exchange.health_report import HealthState, ReportedRow

_NUMBERS: Final = {
    HealthState.UNKNOWN: 0,
    HealthState.HEALTHY: 1,
    HealthState.WARNING: 2,
    HealthState.UNHEALTHY: 3,
}


_FAMILIES: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


@dataclass
class Counters:
    """Counts since the start of this process."""

    check_ins: int = 0
    failed_check_ins: int = 0
    configurations_applied: int = 0
    configurations_refused: int = 0
    identity_renewals: int = 0


@dataclass(frozen=True)
class Round:
    """The observations of one round of the agent."""

    observation: Observation
    rows: Sequence[ReportedRow]
    counters: Counters


@dataclass(frozen=True)
class AgentMetric:
    """One metric. Its value is that of the health row `read` (divided by `divisor`), or the result of `read`.

    None is an unknown value. With a `label`, `read` returns one value for each of its values, which come from
    our own code, never from users, devices or the tenant: they are few.
    """

    name: str
    unit: str
    source: str
    about: str
    read: str | Callable[[Round], float | datetime | Mapping[str, float] | None]
    label: str = ""
    divisor: float = 1

    @property
    def kind(self) -> str:
        """The Prometheus type, which follows from the name."""
        return "counter" if self.name.endswith("_total") else "gauge"


METRICS: Final = (
    AgentMetric(
        "mstunnel_health_status",
        "state",
        "health row",
        "Health of a row: 0 unknown, 1 healthy, 2 warning, 3 unhealthy.",
        lambda seen: {row.id: _NUMBERS[row.state] for row in seen.rows},
        label="row",
    ),
    AgentMetric(
        "mstunnel_last_check_in_timestamp_seconds",
        "Unix time",
        "tenant",
        "When the tenant accepted the last check-in.",
        lambda seen: seen.observation.last_check_in,
    ),
    AgentMetric("mstunnel_connections", "connections", "gateway", "Connected clients.", "connections"),
    AgentMetric(
        "mstunnel_transferred_bytes_total",
        "bytes",
        "gateway",
        "Bytes in and out of the gateway's interfaces, since its start.",
        lambda seen: report.transferred if (report := current_report(seen.observation)) else None,
    ),
    AgentMetric(
        "mstunnel_cpu_usage_ratio",
        "ratio, 0 to 1",
        "kernel",
        "Processor time in use, average of five minutes.",
        "cpu-usage",
        divisor=100,
    ),
    AgentMetric("mstunnel_cpu_cores", "cores", "kernel", "Processor cores.", "cpu-cores"),
    AgentMetric(
        "mstunnel_memory_usage_ratio",
        "ratio, 0 to 1",
        "kernel",
        "Memory that is not available, average of five minutes.",
        "memory-usage",
        divisor=100,
    ),
    AgentMetric(
        "mstunnel_disk_free_bytes",
        "bytes",
        "file system",
        "Free bytes on the file system of the configuration.",
        "disk-space",
    ),
    AgentMetric(
        "mstunnel_latency_seconds",
        "seconds",
        "gateway",
        "Time to connect to the internal address of the site.",
        "latency",
    ),
    AgentMetric(
        "mstunnel_tls_certificate_start_timestamp_seconds",
        "Unix time",
        "certificate",
        "From when on the TLS certificate in use is valid.",
        lambda seen: seen.observation.certificate.start,
    ),
    AgentMetric(
        "mstunnel_tls_certificate_expiry_timestamp_seconds",
        "Unix time",
        "certificate",
        "When the TLS certificate in use expires.",
        lambda seen: seen.observation.certificate.end,
    ),
    AgentMetric(
        "mstunnel_agent_certificate_expiry_timestamp_seconds",
        "Unix time",
        "certificate",
        "When the agent's credential expires.",
        lambda seen: seen.observation.agent_certificate_end,
    ),
    AgentMetric(
        "mstunnel_registry_contact_timestamp_seconds",
        "Unix time",
        "registry",
        "When the image registry last answered.",
        lambda seen: seen.observation.last_registry_contact,
    ),
    AgentMetric(
        "mstunnel_releases_behind",
        "releases",
        "host, tenant",
        "Releases newer than the running one.",
        "server-version",
    ),
    AgentMetric(
        "mstunnel_check_ins_total",
        "check-ins",
        "agent",
        "Check-ins that the tenant accepted, since the agent's start.",
        lambda seen: seen.counters.check_ins,
    ),
    AgentMetric(
        "mstunnel_check_in_failures_total",
        "check-ins",
        "agent",
        "Check-ins that failed, since the agent's start.",
        lambda seen: seen.counters.failed_check_ins,
    ),
    AgentMetric(
        "mstunnel_configurations_applied_total",
        "configurations",
        "agent",
        "Server configurations that the gateway accepted, since the agent's start.",
        lambda seen: seen.counters.configurations_applied,
    ),
    AgentMetric(
        "mstunnel_configurations_refused_total",
        "configurations",
        "agent",
        "Server configurations that were refused, since the agent's start.",
        lambda seen: seen.counters.configurations_refused,
    ),
    AgentMetric(
        "mstunnel_identity_renewals_total",
        "renewals",
        "agent",
        "Renewals of the agent's credential, since the agent's start.",
        lambda seen: seen.counters.identity_renewals,
    ),
    AgentMetric(
        "mstunnel_agent_start_timestamp_seconds",
        "Unix time",
        "agent",
        "When the agent started.",
        lambda seen: seen.observation.started,
    ),
    AgentMetric(
        "mstunnel_agent_round_timestamp_seconds",
        "Unix time",
        "agent",
        "When the values of this file were taken.",
        lambda seen: seen.observation.now,
    ),
    AgentMetric(
        "mstunnel_agent_info",
        "1",
        "agent",
        "Version of the agent.",
        lambda _seen: {__version__: 1},
        label="version",
    ),
)
"""Every metric, in the order of the file."""


@dataclass(frozen=True)
class RoundCollector:
    """The metrics of one round. An unknown value is omitted: it is not zero."""

    seen: Round

    def collect(self) -> Iterator[Metric]:
        """Return a family for each metric that is known."""
        figures = {row.id: row.value for row in self.seen.rows}
        for metric in METRICS:
            value = figures[metric.read] if isinstance(metric.read, str) else metric.read(self.seen)
            if value is None:
                continue
            labels = [metric.label] if metric.label else []
            family = _FAMILIES[metric.kind](metric.name, metric.about, labels=labels)
            if isinstance(value, Mapping):
                for label, one in value.items():
                    family.add_metric([label], one)
            else:
                figure = value.timestamp() if isinstance(value, datetime) else value / metric.divisor
                family.add_metric([], figure)
            yield family


def render(seen: Round) -> bytes:
    """Return the content of the metrics file."""
    return generate_latest(RoundCollector(seen))
