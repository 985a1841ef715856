"""What the lab makes of what servers say about their health.

Rows are those of the agent's own table (docs/reference/health.md): names of Intune's metrics are not public.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mst_admin.metrics import METRICS, HealthMetric, kind_of
from mstunnel_setup.tenant.wire import HealthStatus, HealthThreshold, LabCheck, LabHealth

_CHECKIN: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Check:
    """One line of the health check."""

    title: str
    value: str
    status: HealthStatus


def metric_called(name: str) -> HealthMetric:
    """Return a metric by its name; raises `KeyError`."""
    return {metric.name: metric for metric in METRICS}[name]


def metric_in_graph(name: str) -> HealthMetric | None:
    """Return the metric that Graph calls so, or None."""
    return next((metric for metric in METRICS if metric.graph_name == name), None)


def checks(
    health: LabHealth | None,
    last_checkin: datetime | None,
    thresholds: Mapping[str, HealthThreshold],
    now: datetime,
) -> tuple[Check, ...]:
    """Judge what a server reported: figures by the tenant's thresholds, the rest as the server does."""
    fresh = last_checkin is not None and now - last_checkin <= _CHECKIN
    status = HealthStatus.HEALTHY if fresh else HealthStatus.UNHEALTHY
    seen = last_checkin.strftime("%Y-%m-%d %H:%M:%S UTC") if last_checkin else "never"
    reported = health or LabHealth()
    said = {item.id: item for item in reported.checks}
    rows = (
        _check(item, said.get(item.name), reported.metrics.get(item.name), thresholds) for item in METRICS
    )
    return (Check("Last check-in", seen, status), *rows)


def _check(
    metric: HealthMetric, said: LabCheck | None, figure: int | None, thresholds: Mapping[str, HealthThreshold]
) -> Check:
    status = (said.status if said else None) or HealthStatus.UNKNOWN
    text = said.text if said else "not reported"
    if figure is None:
        return Check(metric.title, text, status)
    value = figure / metric.scale
    own = judge(value, thresholds.get(metric.graph_name))
    shown = f"{value:.0f} {metric.unit}".strip() if said is None or metric.unit else text
    return Check(metric.title, shown, own or status)


def judge(value: float, threshold: HealthThreshold | None) -> HealthStatus | None:
    """Compare a value with the tenant's two bounds."""
    if threshold is None or threshold.healthy_threshold is None or threshold.unhealthy_threshold is None:
        return None
    kind = kind_of(threshold.id)
    if kind is None:
        return None
    return HealthStatus(kind.verdict(value, threshold.healthy_threshold, threshold.unhealthy_threshold))
