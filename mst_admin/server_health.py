"""The health of one server as the tenant has it: the rows of the admin center, judged, and their trends.

What the tenant does not have is unknown: nothing is judged by the absence of a figure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mst_admin.lines import ago
from mst_admin.metrics import METRICS, Metric, kind_of
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.wire import HealthStatus, HealthThreshold, LabCheck, MetricPoint, TunnelServer

_CHECK_IN: Final = timedelta(minutes=5)
_BARS: Final = "▁▂▃▄▅▆▇█"
_WORDS: Final = {
    "agent-certificate": text("days left"),
    "tls-certificate": text("days left"),
    "server-version": text("releases behind"),
}
"""What a figure without a unit counts."""


@dataclass(frozen=True)
class HealthRow:
    """One row; `value` is the figure behind it, None where the tenant has none."""

    id: str
    title: str
    status: HealthStatus
    text: str
    value: int | None = None


def names_in_graph(thresholds: Sequence[HealthThreshold]) -> dict[str, str]:
    """The names of the metrics in Graph, by row: the tenant's own where its thresholds tell them."""
    own = {kind: item.id for item in thresholds if (kind := kind_of(item.id))}
    return {item.name: (item.kind and own.get(item.kind)) or item.graph_name for item in METRICS}


def judge_server(
    server: TunnelServer, figures: Mapping[str, int], thresholds: Sequence[HealthThreshold], now: datetime
) -> Iterator[HealthRow]:
    """Every row of the table; `figures` are by row."""
    yield _last_check_in(server.last_checkin_date_time, now)
    reported = server.lab_health.checks if server.lab_health else ()
    said = {item.id: item for item in reported}
    for metric in METRICS:
        value, own = figures.get(metric.name), said.get(metric.name)
        bounds = _bounds(metric, thresholds)
        status = own.status if own and own.status and not bounds else _verdict(metric, value, bounds)
        yield HealthRow(metric.name, metric.title, status, _text(metric, value, own), value)


def _last_check_in(seen: datetime | None, now: datetime) -> HealthRow:
    title = "Last check-in"
    if seen is None:
        return HealthRow("last-check-in", title, HealthStatus.UNKNOWN, "never")
    age = abs(now - seen)
    status = HealthStatus.HEALTHY if age <= _CHECK_IN else HealthStatus.UNHEALTHY
    return HealthRow("last-check-in", title, status, f"{ago(age)} ago", int(age.total_seconds()))


def _bounds(metric: Metric, thresholds: Sequence[HealthThreshold]) -> tuple[int, int] | None:
    """Where the tenant says that a metric turns healthy and unhealthy."""
    if metric.kind is None:
        return None
    for item in thresholds:
        healthy, unhealthy = item.healthy_threshold, item.unhealthy_threshold
        if kind_of(item.id) == metric.kind and healthy is not None and unhealthy is not None:
            return healthy, unhealthy
    return None


def _verdict(metric: Metric, value: int | None, bounds: tuple[int, int] | None) -> HealthStatus:
    if metric.kind is None or value is None:
        return HealthStatus.UNKNOWN
    return HealthStatus(metric.kind.verdict(value, *(bounds or metric.limits)))


def _text(metric: Metric, value: int | None, own: LabCheck | None) -> str:
    """The figure in its unit; without a unit the server's own words say more."""
    if own is not None and not (metric.unit and value is not None):
        return plain(own.text)
    if value is None:
        return text("not known to the tenant")
    return f"{value} {metric.unit or _WORDS.get(metric.name, '')}".rstrip()


def sparkline(points: Sequence[MetricPoint], start: datetime, end: datetime, columns: int) -> str:
    """The course of a metric, one bar for each of `columns` equal parts of the time; a blank: no figure."""
    parts: dict[int, list[int]] = {}
    for point in points:
        column = int((point.date_time - start) / (end - start) * columns)
        parts.setdefault(min(max(column, 0), columns - 1), []).append(point.value)
    means = {column: sum(values) / len(values) for column, values in parts.items()}
    top = max(means.values(), default=0) or 1
    bars = {column: _BARS[round(max(mean, 0) / top * (len(_BARS) - 1))] for column, mean in means.items()}
    return "".join(bars.get(column, " ") for column in range(columns))
