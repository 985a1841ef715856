"""The health metrics of a server: which way each turns, how far it goes, and where it is healthy.

Source: docs/reference/health.md (the vendor's monitoring page). Intune's names are not public: metrics are
named after the rows of the agent's own table, and one with thresholds is known by the word that its name must
contain, as in the agent.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic.alias_generators import to_camel


@dataclass(frozen=True)
class Kind:
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


_CPU: Final = Kind("cpu", highest=100, inclusive=True)
_MEMORY: Final = Kind("memory", highest=100, inclusive=True)
_DISK: Final = Kind("disk", more_is_better=True)
_LATENCY: Final = Kind("latency")
KINDS: Final = (_CPU, _MEMORY, _DISK, _LATENCY)


def kind_of(metric: str) -> Kind | None:
    """The kind of a metric by its name; None when it is not known."""
    return next((kind for kind in KINDS if kind.word in metric.casefold()), None)


@dataclass(frozen=True)
class Metric:
    """A row of the health table. What a server reports, divided by `scale`, is in `unit`, as in Graph.

    `kind` and `limits` (healthy, unhealthy) judge the figure where the tenant has no thresholds for it.
    """

    name: str
    title: str
    unit: str = ""
    scale: int = 1
    kind: Kind | None = None
    limits: tuple[float, float] = (0, 0)

    @property
    def graph_name(self) -> str:
        """The name in Graph: of the figures, and of the thresholds where there are some."""
        return to_camel(self.name.replace("-", "_"))


_WITHOUT_LIMITS: Final = Kind("throughput", more_is_better=True, inclusive=True)
_DAYS_LEFT: Final = Kind("certificate", more_is_better=True)

METRICS: Final = (
    Metric(
        "connections", "Current connections", kind=Kind("connections", inclusive=True), limits=(4990, 4991)
    ),
    Metric("throughput", "Throughput", "Mbit/s", 10**6, _WITHOUT_LIMITS, (0, -1)),
    Metric("cpu-usage", "CPU usage", "%", kind=_CPU, limits=(95, 100)),
    Metric("cpu-cores", "CPU cores", kind=Kind("cores", more_is_better=True, inclusive=True), limits=(4, 0)),
    Metric("memory-usage", "Memory usage", "%", kind=_MEMORY, limits=(95, 100)),
    Metric("disk-space", "Free disk space", "GB", 1024**3, kind=_DISK, limits=(5, 3)),
    Metric("latency", "Latency", "ms", kind=_LATENCY, limits=(10, 20)),
    Metric("agent-certificate", "Management agent certificate", kind=_DAYS_LEFT, limits=(30, 0)),
    Metric("tls-certificate", "TLS certificate", kind=_DAYS_LEFT, limits=(30, 0)),
    Metric("tls-revocation", "TLS certificate revocation"),
    Metric("internal-network", "Internal network accessibility"),
    Metric("upgradeability", "Upgradeability"),
    Metric("server-version", "Server version", kind=Kind("version", inclusive=True), limits=(0, 2)),
    Metric("server-container", "Server container"),
    Metric("server-configuration", "Server configuration"),
    Metric("server-logs", "Server logs"),
)
"""All rows but the last check-in, which the tenant knows best."""

TRENDS: Final = ("connections", "cpu-usage", "disk-space", "memory-usage", "latency", "throughput")
"""The metrics that the admin center shows over time."""
