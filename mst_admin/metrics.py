"""The health metrics of a server: which way each turns, how far it goes, where it is healthy; and thresholds.

Source: docs/reference/health.md (the vendor's monitoring page). Intune's names are not public: metrics are
named after the rows of the agent's own table, and one with thresholds is known by the word that its name must
contain, as in the agent.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt
from pydantic.alias_generators import to_camel

from mst_admin.change import Body
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import Part, matching
from mstunnel_setup.base.text import quoted
from mstunnel_setup.tenant.wire import HealthThreshold


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


MetricName = Annotated[
    str,
    matching(r"[A-Za-z0-9_-]{1,200}", "must be the name of a metric: use letters, digits, `-` and `_` only"),
]


class ThresholdObject(Part):
    """Where a health metric turns healthy and unhealthy, in the metric's own unit."""

    metric: MetricName = Field(description="Name of the metric")
    healthy: StrictInt = Field(ge=0, description="Healthy up to (or, for free space, from) this value")
    unhealthy: StrictInt = Field(ge=0, description="Unhealthy from (or, for free space, below) this value")


def threshold_body(declared: ThresholdObject) -> Body:
    """The body of thresholds, without the metric they belong to."""
    return {"healthyThreshold": declared.healthy, "unhealthyThreshold": declared.unhealthy}


def threshold_object(found: HealthThreshold) -> ThresholdObject:
    """Thresholds of the tenant as they would be declared."""
    healthy, unhealthy = found.healthy_threshold or 0, found.unhealthy_threshold or 0
    return ThresholdObject.model_construct(metric=found.id, healthy=healthy, unhealthy=unhealthy)


def judge_threshold(declared: ThresholdObject) -> tuple[Finding, ...]:
    """All findings about the thresholds of a metric."""
    kind = kind_of(declared.metric)
    if declared.healthy == declared.unhealthy:
        return (
            finding(
                "unhealthy",
                "thresholds-equal",
                "healthy and unhealthy are both {value}: they must differ",
                hint="Write two different values.",
                value=declared.healthy,
            ),
        )
    if kind is None:
        words = ", ".join(item.word for item in KINDS)
        return (
            finding(
                "metric",
                "metric-not-known",
                "{metric} is not a known metric with thresholds",
                hint="Use a name with one of these words: {words}. Gateways ignore others.",
                fatal=False,
                metric=quoted(declared.metric),
                words=words,
            ),
        )
    found = []
    for key, value in (("healthy", declared.healthy), ("unhealthy", declared.unhealthy)):
        if kind.highest is not None and value > kind.highest:
            found.append(
                finding(
                    key,
                    "threshold-out-of-range",
                    "{key} is {value}: {metric} never exceeds {highest}",
                    hint="Write 0 to {highest}.",
                    key=key,
                    value=value,
                    metric=declared.metric,
                    highest=kind.highest,
                )
            )
    if (declared.healthy > declared.unhealthy) is not kind.more_is_better:
        better, order = ("more", "above") if kind.more_is_better else ("less", "below")
        found.append(
            finding(
                "unhealthy",
                "thresholds-reversed",
                "healthy is {healthy}, unhealthy {unhealthy}: {better} is better",
                hint="Write a value for healthy that is {order} the one for unhealthy.",
                healthy=declared.healthy,
                unhealthy=declared.unhealthy,
                better=better,
                order=order,
            )
        )
    return tuple(found)
