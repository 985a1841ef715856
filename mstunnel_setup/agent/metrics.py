"""Prometheus metrics as a text file, for the textfile collector of a node exporter that the host has anyway.

A file and no port: the gateway stands at the edge of a network, and the agent listens nowhere. Names and
format: docs/reference/health.md; https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mstunnel_setup import __version__, paths
from mstunnel_setup.agent.health_rows import Observation, Row, State

METRICS: Final = f"{paths.AGENT_STATE}/metrics.prom"

_NUMBERS: Final = {State.UNKNOWN: 0, State.HEALTHY: 1, State.WARNING: 2, State.UNHEALTHY: 3}
_DAY: Final = 86_400

GAUGES: Final = {
    "last-check-in": ("mstunnel_last_check_in_age_seconds", "Seconds since the tenant took a check-in."),
    "connections": ("mstunnel_connections", "Connected clients."),
    "throughput": (
        "mstunnel_throughput_bits_per_second",
        "Bits a second through the gateway, in and out together.",
    ),
    "cpu-usage": ("mstunnel_cpu_usage_percent", "Processor use, averaged over five minutes."),
    "cpu-cores": ("mstunnel_cpu_cores", "Processor cores."),
    "memory-usage": ("mstunnel_memory_usage_percent", "Memory in use, averaged over five minutes."),
    "disk-space": ("mstunnel_disk_free_bytes", "Free bytes where the configuration lies."),
    "latency": ("mstunnel_latency_seconds", "Time to connect to the internal address of the site."),
    "agent-certificate": ("mstunnel_agent_certificate_days_left", "Days until the agent's credential ends."),
    "tls-certificate": ("mstunnel_tls_certificate_days_left", "Days until the TLS certificate ends."),
    "upgradeability": ("mstunnel_registry_contact_age_seconds", "Seconds since the image registry answered."),
    "server-version": ("mstunnel_releases_behind", "Releases that are newer than the running one."),
}
"""For each row that has a figure: the name of its metric and what it says."""


@dataclass
class Counters:
    """Counts of this process."""

    check_ins: int = 0
    failed_check_ins: int = 0
    configurations_applied: int = 0
    configurations_refused: int = 0
    identity_renewals: int = 0

    def each(self) -> Iterator[tuple[str, str, int]]:
        """Name of the metric, what it counts, and the count."""
        yield "mstunnel_check_ins_total", "Check-ins that the tenant took.", self.check_ins
        yield "mstunnel_check_in_failures_total", "Check-ins that failed.", self.failed_check_ins
        yield (
            "mstunnel_configurations_applied_total",
            "Server configurations that the gateway took.",
            self.configurations_applied,
        )
        yield (
            "mstunnel_configurations_refused_total",
            "Server configurations that were refused.",
            self.configurations_refused,
        )
        yield (
            "mstunnel_identity_renewals_total",
            "Renewals of the agent's credential.",
            self.identity_renewals,
        )


def render(observation: Observation, rows: Sequence[Row], counters: Counters) -> str:
    """The whole file."""
    lines = [*_health(rows), *_figures(rows), *_times(observation), *_counts(counters), *_about()]
    return "\n".join(lines) + "\n"


def _health(rows: Sequence[Row]) -> Iterator[str]:
    help_text = "Health of one row: 0 unknown, 1 healthy, 2 warning, 3 unhealthy."
    yield from _head("mstunnel_health_status", "gauge", help_text)
    for row in rows:
        yield f'mstunnel_health_status{{row="{row.id}"}} {_NUMBERS[row.state]}'


def _figures(rows: Sequence[Row]) -> Iterator[str]:
    """Only what is known: a figure that is missing is no zero."""
    for row in rows:
        if row.id in GAUGES and row.value is not None:
            name, help_text = GAUGES[row.id]
            yield from _head(name, "gauge", help_text)
            yield f"{name} {_number(row.value)}"


def _times(observation: Observation) -> Iterator[str]:
    yield from _head("mstunnel_agent_start_time_seconds", "gauge", "When the agent started.")
    yield f"mstunnel_agent_start_time_seconds {_number(observation.started.timestamp())}"
    yield from _head("mstunnel_agent_round_time_seconds", "gauge", "When these figures were taken.")
    yield f"mstunnel_agent_round_time_seconds {_number(observation.now.timestamp())}"


def _counts(counters: Counters) -> Iterator[str]:
    for name, help_text, value in counters.each():
        yield from _head(name, "counter", help_text)
        yield f"{name} {value}"


def _about() -> Iterator[str]:
    yield from _head("mstunnel_agent_info", "gauge", "Version of the agent.")
    yield f'mstunnel_agent_info{{version="{__version__}"}} 1'


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.6g}" if abs(value) < _DAY else f"{value:.3f}"
