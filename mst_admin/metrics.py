"""The health metrics of a server in Graph, and their thresholds.

Intune does not publish the names: metrics are named after the rows of the agent's table, and one with
thresholds is recognised by a word in its name, as in the agent.
"""

from typing import Annotated, Final

from pydantic import Field, StrictInt

from mst_admin.change import Body
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import Part, matching
from mstunnel_setup.base.text import quoted
from mstunnel_setup.exchange.health_rows import LAST_CHECK_IN, ROWS, MetricKind
from mstunnel_setup.tenant.wire import HealthThreshold

METRICS: Final = tuple(row for row in ROWS if row is not LAST_CHECK_IN)
"""All rows except the last check-in, which the tenant itself records."""

KINDS: Final = tuple(row.kind for row in METRICS if row.kind is not None and row.has_thresholds)
"""The metrics for which a tenant can have thresholds."""


def kind_of(metric: str) -> MetricKind | None:
    """Return the kind of a metric by its name, or None if the name is unknown."""
    return next((kind for kind in KINDS if kind.word in metric.casefold()), None)


MetricName = Annotated[
    str,
    matching(r"[A-Za-z0-9_-]{1,200}", "must be the name of a metric: use letters, digits, `-` and `_` only"),
]


class ThresholdObject(Part):
    """The limits at which a health metric is healthy and unhealthy, in the metric's unit."""

    metric: MetricName = Field(description="Name of the metric")
    healthy: StrictInt = Field(ge=0, description="Healthy up to (or, for free space, from) this value")
    unhealthy: StrictInt = Field(ge=0, description="Unhealthy from (or, for free space, below) this value")


def threshold_body(declared: ThresholdObject) -> Body:
    """Return the Graph body of thresholds, without the name of the metric."""
    return {"healthyThreshold": declared.healthy, "unhealthyThreshold": declared.unhealthy}


def threshold_object(found: HealthThreshold) -> ThresholdObject:
    """Return thresholds of the tenant in declaration form."""
    healthy, unhealthy = found.healthy_threshold or 0, found.unhealthy_threshold or 0
    return ThresholdObject.model_construct(metric=found.id, healthy=healthy, unhealthy=unhealthy)


def judge_threshold(declared: ThresholdObject) -> tuple[Finding, ...]:
    """Return all findings about the thresholds of a metric."""
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
