"""The rows of the health table, one declaration each.

The agent's report and metrics, `mst-cli health` and `status`, `mst-admin health`, the lab's pages and the
reference follow from here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic.alias_generators import to_camel

from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import health_rules
from mstunnel_setup.exchange.health_observation import Observation
from mstunnel_setup.exchange.health_report import (
    AGENT_LOGS,
    ENROL_AGAIN,
    HealthState,
    ReportedRow,
    Threshold,
    Thresholds,
)
from mstunnel_setup.exchange.health_rules import FEW_CORES, MOST_CONNECTIONS, RowResult

SEE_LIMITS: Final = text("See its limits with `mst-cli help health`.")
_BUSY: Final = text("See what takes it with `top`; another server in the site shares the load.")


@dataclass(frozen=True)
class MetricKind:
    """One kind of metric. `highest` is the largest value there is; None: no limit.

    The bounds themselves count as healthy and unhealthy where they are `inclusive`, as a warning otherwise.
    """

    word: str
    more_is_better: bool = False
    highest: int | None = None
    inclusive: bool = False

    def verdict(
        self, value: float, healthy: float, unhealthy: float
    ) -> Literal["healthy", "warning", "unhealthy"]:
        """Return how a value is between its two bounds; the rules of the agent judge alike."""
        sign = -1 if self.more_is_better else 1
        value, healthy, unhealthy = sign * value, sign * healthy, sign * unhealthy
        if value < healthy or (self.inclusive and value == healthy):
            return "healthy"
        worse = value > unhealthy or (self.inclusive and value == unhealthy)
        return "unhealthy" if worse else "warning"


_CPU: Final = MetricKind("cpu", highest=100, inclusive=True)
_MEMORY: Final = MetricKind("memory", highest=100, inclusive=True)
_DISK: Final = MetricKind("disk", more_is_better=True)
_LATENCY: Final = MetricKind("latency")
_DAYS_LEFT: Final = MetricKind("certificate", more_is_better=True)


Rule: TypeAlias = Callable[[Observation, Thresholds], RowResult]


@dataclass(frozen=True, kw_only=True)
class HealthRow:
    """A row of the health table.

    Args:
        id: Its name in reports and metrics; the one in Graph follows from it.
        hint: How to fix it.
        rule: Judges an observation.
        healthy: When it is healthy, for the reference, as are `warning`, `unhealthy` and `source`.
        unit: Unit of its figure in Graph, which is what the agent has divided by `scale`.
        counts: What a figure without a unit counts.
        kind: Judges the figure by `limits` (healthy, unhealthy) where the tenant has no thresholds for it.
        has_thresholds: Whether the tenant may have thresholds for it.
        trend: Whether the admin center shows it over time.
        serious: Whether devices are not served as the site wants, or soon will not be, while it is unhealthy.
        host_reports: Whether the commands of the host look at it themselves, and report it themselves.
    """

    id: str
    title: str
    hint: str
    rule: Rule
    healthy: str
    warning: str
    unhealthy: str
    source: str
    unit: str = ""
    scale: int = 1
    counts: str = ""
    kind: MetricKind | None = None
    limits: tuple[float, float] = (0, 0)
    has_thresholds: bool = False
    trend: bool = False
    serious: bool = False
    host_reports: bool = False

    @property
    def graph_name(self) -> str:
        """The name in Graph: of the figures, and of the thresholds where there are some."""
        return to_camel(self.id.replace("-", "_"))


_DEFAULTS: Final = Thresholds()


def _bounds(threshold: Threshold) -> tuple[float, float]:
    return threshold.healthy, threshold.unhealthy


LAST_CHECK_IN: Final = HealthRow(
    id="last-check-in",
    title=text("Last check-in"),
    rule=health_rules.last_check_in,
    hint=text(
        "Test the connection to the tenant with `mst-readiness network`; {agent_logs}",
        agent_logs=AGENT_LOGS,
    ),
    healthy="5 minutes ago or less",
    warning="",
    unhealthy="longer ago",
    source="the tenant accepted it",
    serious=True,
)

ROWS: Final = (
    LAST_CHECK_IN,
    HealthRow(
        id="connections",
        title=text("Current connections"),
        rule=health_rules.connections,
        hint=text("Add a server to the site: `mstunnel-setup --site NAME` there."),
        healthy="4,990 or fewer",
        warning="",
        unhealthy="more",
        source="the gateway",
        kind=MetricKind("connections", inclusive=True),
        limits=(MOST_CONNECTIONS, MOST_CONNECTIONS + 1),
        trend=True,
    ),
    HealthRow(
        id="throughput",
        title=text("Throughput"),
        rule=health_rules.throughput,
        hint=SEE_LIMITS,
        healthy="always",
        warning="",
        unhealthy="",
        source="bytes in and out of the gateway's interfaces",
        unit="Mbit/s",
        scale=10**6,
        kind=MetricKind("throughput", more_is_better=True, inclusive=True),
        limits=(0, -1),
        trend=True,
    ),
    HealthRow(
        id="cpu-usage",
        title=text("CPU usage"),
        rule=health_rules.cpu,
        hint=_BUSY,
        healthy="95 % or less",
        warning="96 to 99 %",
        unhealthy="100 %",
        source="kernel, average of five minutes",
        unit="%",
        kind=_CPU,
        limits=_bounds(_DEFAULTS.cpu_usage),
        has_thresholds=True,
        trend=True,
    ),
    HealthRow(
        id="cpu-cores",
        title=text("CPU cores"),
        rule=health_rules.cores,
        hint=text("Give this machine at least four cores."),
        healthy="4 or more",
        warning="1 to 3",
        unhealthy="0",
        source="kernel",
        kind=MetricKind("cores", more_is_better=True, inclusive=True),
        limits=(FEW_CORES, 0),
    ),
    HealthRow(
        id="memory-usage",
        title=text("Memory usage"),
        rule=health_rules.memory,
        hint=_BUSY,
        healthy="95 % or less",
        warning="96 to 99 %",
        unhealthy="100 %",
        source="kernel, average of five minutes",
        unit="%",
        kind=_MEMORY,
        limits=_bounds(_DEFAULTS.memory_usage),
        has_thresholds=True,
        trend=True,
    ),
    HealthRow(
        id="disk-space",
        title=text("Disk space"),
        rule=health_rules.disk,
        hint=text(
            "Free disk space where `df /etc/mstunnel` shows; `journalctl --vacuum-size=500M` removes old "
            "logs."
        ),
        healthy="above 5 GB free",
        warning="3 to 5 GB",
        unhealthy="below 3 GB",
        source="file system of `/etc/mstunnel`",
        unit="GB",
        scale=1024**3,
        kind=_DISK,
        limits=_bounds(_DEFAULTS.disk_space),
        has_thresholds=True,
        trend=True,
    ),
    HealthRow(
        id="latency",
        title=text("Latency"),
        rule=health_rules.latency,
        hint=text(
            "Check the route to the internal network, or set a nearer page: "
            "`mst-admin site update NAME --probe-url URL`."
        ),
        healthy="below 10 ms",
        warning="10 to 20 ms",
        unhealthy="above 20 ms",
        source="time to connect to the internal address",
        unit="ms",
        kind=_LATENCY,
        limits=_bounds(_DEFAULTS.latency),
        has_thresholds=True,
        trend=True,
    ),
    HealthRow(
        id="agent-certificate",
        title=text("Management agent certificate"),
        rule=health_rules.agent_certificate,
        hint=ENROL_AGAIN,
        healthy="more than 30 days",
        warning="30 days or less",
        unhealthy="3 days or less",
        source="the agent's credential, renewed automatically",
        counts=text("days left"),
        kind=_DAYS_LEFT,
        limits=(30, 0),
        serious=True,
    ),
    HealthRow(
        id="tls-certificate",
        title=text("TLS certificate"),
        rule=health_rules.tls_certificate,
        hint=SEE_LIMITS,
        healthy="[longer](certificates.md#limits)",
        warning="30 days or a third of its lifetime",
        unhealthy="3 days or a tenth of its lifetime",
        source="the certificate in use",
        counts=text("days left"),
        kind=_DAYS_LEFT,
        limits=(30, 0),
        host_reports=True,
    ),
    HealthRow(
        id="tls-revocation",
        title=text("TLS certificate revocation"),
        rule=health_rules.revocation,
        hint=SEE_LIMITS,
        healthy="not revoked",
        warning="cannot be determined",
        unhealthy="revoked",
        source="OCSP or CRL, queried every hour",
        host_reports=True,
    ),
    HealthRow(
        id="internal-network",
        title=text("Internal network accessibility"),
        rule=health_rules.internal_network,
        hint=text(
            "Fix DNS, route or proxy (`mst-cli env set`), or set another page: "
            "`mst-admin site update NAME --probe-url URL`."
        ),
        healthy="the address answers",
        warning="the address cannot be probed",
        unhealthy="it does not answer",
        source="probed every five minutes by the gateway itself",
        serious=True,
    ),
    HealthRow(
        id="upgradeability",
        title=text("Upgradeability"),
        rule=health_rules.upgradeability,
        hint=text("Test the connection to the registry with `mst-readiness network`."),
        healthy="the registry answered",
        warning="",
        unhealthy="not within the last attempts",
        source="queried every five minutes",
    ),
    HealthRow(
        id="server-version",
        title=text("Server version"),
        rule=health_rules.version,
        hint=text("Run `mst-cli upgrade apply`."),
        healthy="newest",
        warning="one behind",
        unhealthy="two or more behind",
        source="the releases in `releases.toml`; the tenant's site",
        counts=text("releases behind"),
        kind=MetricKind("version", inclusive=True),
        limits=(0, 2),
    ),
    HealthRow(
        id="server-container",
        title=text("Server container"),
        rule=health_rules.server_container,
        hint=text("Run `mst-cli server restart`; `mst-cli server logs --tail 20` shows why."),
        healthy="serving",
        warning="",
        unhealthy="no report, or its server does not answer",
        source="the gateway",
        serious=True,
    ),
    HealthRow(
        id="server-configuration",
        title=text("Server configuration"),
        rule=health_rules.configuration,
        hint=text(
            "Correct it with `mst-admin config update NAME` or in the admin center, then run "
            "`mst-cli config pull`."
        ),
        healthy="applied",
        warning="",
        unhealthy="refused, or waiting for the host",
        source="the gateway's own test",
        serious=True,
    ),
    HealthRow(
        id="server-logs",
        title=text("Server logs"),
        rule=health_rules.logs,
        hint=SEE_LIMITS,
        healthy="uploaded within 60 minutes",
        warning="",
        unhealthy="not",
        source="unknown here: nothing is uploaded",
    ),
)
"""Every row, in the order of the vendor's table."""


def judge_rows(observation: Observation, thresholds: Thresholds) -> tuple[ReportedRow, ...]:
    """Judge every row, in the order of the table."""
    return tuple(
        ReportedRow(id=row.id, title=row.title, **vars(row.rule(observation, thresholds))) for row in ROWS
    )


def overall(rows: Sequence[ReportedRow]) -> HealthState:
    """Return the state of the worst row; what is not known does not count."""
    states = {row.state for row in rows}
    worst = (HealthState.UNHEALTHY, HealthState.WARNING, HealthState.HEALTHY)
    return next((state for state in worst if state in states), HealthState.UNKNOWN)
