"""The health metrics of a server: which way each turns, how far it goes, and where it is healthy.

Source: docs/reference/health.md (the vendor's monitoring page). Intune's names are not public: metrics are
named after the rows of the agent's own table, and one with thresholds is known by the word that its name must
contain, as in the agent.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic.alias_generators import to_camel


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
        """How a value is, between its two bounds: the agent judges alike."""
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
KINDS: Final = (_CPU, _MEMORY, _DISK, _LATENCY)


def kind_of(metric: str) -> MetricKind | None:
    """The kind of a metric by its name; None when it is not known."""
    return next((kind for kind in KINDS if kind.word in metric.casefold()), None)


@dataclass(frozen=True)
class HealthMetric:
    """A row of the health table. What a server reports, divided by `scale`, is in `unit`, as in Graph.

    `kind` and `limits` (healthy, unhealthy) judge the figure where the tenant has no thresholds for it.
    """

    name: str
    title: str
    unit: str = ""
    scale: int = 1
    kind: MetricKind | None = None
    limits: tuple[float, float] = (0, 0)

    @property
    def graph_name(self) -> str:
        """The name in Graph: of the figures, and of the thresholds where there are some."""
        return to_camel(self.name.replace("-", "_"))


_WITHOUT_LIMITS: Final = MetricKind("throughput", more_is_better=True, inclusive=True)
_DAYS_LEFT: Final = MetricKind("certificate", more_is_better=True)

METRICS: Final = (
    HealthMetric(
        "connections",
        "Current connections",
        kind=MetricKind("connections", inclusive=True),
        limits=(4990, 4991),
    ),
    HealthMetric("throughput", "Throughput", "Mbit/s", 10**6, _WITHOUT_LIMITS, (0, -1)),
    HealthMetric("cpu-usage", "CPU usage", "%", kind=_CPU, limits=(95, 100)),
    HealthMetric(
        "cpu-cores", "CPU cores", kind=MetricKind("cores", more_is_better=True, inclusive=True), limits=(4, 0)
    ),
    HealthMetric("memory-usage", "Memory usage", "%", kind=_MEMORY, limits=(95, 100)),
    HealthMetric("disk-space", "Free disk space", "GB", 1024**3, kind=_DISK, limits=(5, 3)),
    HealthMetric("latency", "Latency", "ms", kind=_LATENCY, limits=(10, 20)),
    HealthMetric("agent-certificate", "Management agent certificate", kind=_DAYS_LEFT, limits=(30, 0)),
    HealthMetric("tls-certificate", "TLS certificate", kind=_DAYS_LEFT, limits=(30, 0)),
    HealthMetric("tls-revocation", "TLS certificate revocation"),
    HealthMetric("internal-network", "Internal network accessibility"),
    HealthMetric("upgradeability", "Upgradeability"),
    HealthMetric(
        "server-version", "Server version", kind=MetricKind("version", inclusive=True), limits=(0, 2)
    ),
    HealthMetric("server-container", "Server container"),
    HealthMetric("server-configuration", "Server configuration"),
    HealthMetric("server-logs", "Server logs"),
)
"""All rows but the last check-in, which the tenant knows best."""

TRENDS: Final = ("connections", "cpu-usage", "disk-space", "memory-usage", "latency", "throughput")
"""The metrics that the admin center shows over time."""
