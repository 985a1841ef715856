"""`mst-admin health`: the health rows of one server, as in the admin center, and their trends.

A metric without a value in the tenant has the state unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from mst_admin.kinds.tunnel import find_place
from mst_admin.metrics import METRICS, kind_of
from mst_admin.results import Time
from mst_admin.servers import at_once, missing_figures, read_figures, release_of
from mst_admin.session import READING, open_tenant
from mstunnel_setup.base.errors import ExitCode, NetworkError, TenantError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import ago, fold, folded, text
from mstunnel_setup.exchange.health_rows import LAST_CHECK_IN, HealthRow
from mstunnel_setup.exchange.release_catalogue import published
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.wire import HealthStatus, HealthThreshold, TunnelServer

_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class ShownRow:
    """One row."""

    id: Annotated[str, Field(description="As in the agent's own health table.")]
    title: str
    status: Annotated[HealthStatus, Field(description="As Graph has it.")]
    text: Annotated[str, Field(description="For people.")]
    value: Annotated[
        int | None, Field(description="The figure behind it; null: not known to the tenant.")
    ] = None


class TrendPoint(Report):
    """A metric at one time."""

    at: Time
    value: int


def names_in_graph(thresholds: Sequence[HealthThreshold]) -> dict[str, str]:
    """Return the Graph names of metrics by row, taken from the tenant's thresholds where it has any."""
    own = {kind: item.id for item in thresholds if (kind := kind_of(item.id))}
    return {item.id: (item.kind and own.get(item.kind)) or item.graph_name for item in METRICS}


def judge_server(
    server: TunnelServer, figures: Mapping[str, int], thresholds: Sequence[HealthThreshold], now: datetime
) -> Iterator[ShownRow]:
    """Return every row of the table with its state; `figures` are by row."""
    seen, row = server.last_checkin_date_time, LAST_CHECK_IN
    if seen is None:
        yield ShownRow(row.id, row.title, HealthStatus.UNKNOWN, "never")
    else:
        age = abs(now - seen)
        recent = HealthStatus.HEALTHY if age <= timedelta(minutes=5) else HealthStatus.UNHEALTHY
        yield ShownRow(row.id, row.title, recent, f"{ago(age)} ago", int(age.total_seconds()))
    for metric in METRICS:
        value, bounds = figures.get(metric.id), _bounds(metric, thresholds)
        status = HealthStatus.UNKNOWN
        if metric.kind is not None and value is not None:
            status = HealthStatus(metric.kind.verdict(value, *(bounds or metric.limits)))
        yield ShownRow(metric.id, metric.title, status, _text(metric, value), value)


def _bounds(metric: HealthRow, thresholds: Sequence[HealthThreshold]) -> tuple[int, int] | None:
    """Return the tenant's healthy and unhealthy thresholds of a metric."""
    if metric.kind is None:
        return None
    for item in thresholds:
        healthy, unhealthy = item.healthy_threshold, item.unhealthy_threshold
        if kind_of(item.id) == metric.kind and healthy is not None and unhealthy is not None:
            return healthy, unhealthy
    return None


def _text(metric: HealthRow, value: int | None) -> str:
    """Format a figure with its unit, or with a word for what it counts."""
    if value is None:
        return text("not known to the tenant")
    if metric.unit:
        return f"{value} {metric.unit}"
    return text("{value} {word}", value=value, word=metric.counts) if metric.counts else str(value)


def sparkline(points: Sequence[TrendPoint], start: datetime, end: datetime, columns: int) -> str:
    """Return a sparkline: one bar for each of `columns` equal intervals, a blank for one without figures."""
    parts: dict[int, list[int]] = {}
    for point in points:
        column = int((point.at - start) / (end - start) * columns)
        parts.setdefault(min(max(column, 0), columns - 1), []).append(point.value)
    means = {column: sum(values) / len(values) for column, values in parts.items()}
    top = max(means.values(), default=0) or 1
    bars = {column: _BARS[round(max(mean, 0) / top * (len(_BARS) - 1))] for column, mean in means.items()}
    return "".join(bars.get(column, " ") for column in range(columns))


_BLOCKS_A_DAY: Final = 8
"""The service averages over three hours."""
_MOST_COLUMNS: Final = 40
_DOWN: Final = frozenset({HealthStatus.UNHEALTHY, HealthStatus.OFFLINE, HealthStatus.UPGRADE_FAILED})


class Trend(Report):
    """A metric over time."""

    id: str
    title: str
    unit: str
    points: tuple[TrendPoint, ...] | None = Field(
        description="Averages of three hours, as the tenant has them; null: it did not return them."
    )

    def line(self, start: datetime, end: datetime, columns: int) -> str:
        """Return the line of the trend on a terminal."""
        if not self.points:
            nothing = text("unknown") if self.points is None else text("nothing reported")
            return text("{title:20} {nothing}", title=self.title, nothing=nothing)
        values = [point.value for point in self.points]
        course = sparkline(self.points, start, end, columns)
        span = f"{min(values)} to {max(values)} {self.unit}".rstrip()
        return text("{title:20} {course}  {span}", title=self.title, course=course, span=span)


class ServerHealthReport(Report):
    """One server, row by row, and its trends."""

    at: Time = Field(description="When the tenant was read (UTC).")
    site: str
    site_id: str
    name: str
    id: str
    health: HealthStatus = Field(description="As Graph has it.")
    version: str | None = Field(description="Name of the release; null: its images are no known release.")
    rows: tuple[ShownRow, ...]
    trends: tuple[Trend, ...]


def health(
    operator: Operator, settings: Settings, site: str | None, wanted: str, days: int
) -> Result[ServerHealthReport]:
    """Return the rows of a server and its trends over `days`; exit code 3 if it is unhealthy or offline."""
    graph = open_tenant(operator, settings, READING)
    place, thresholds = find_place(graph, site, wanted), graph.thresholds()
    names = names_in_graph(thresholds)
    seen = read_figures(graph, place, names)
    end = operator.clock.now()
    start = end - timedelta(days=days)

    def trend(metric: HealthRow) -> Trend:
        points: tuple[TrendPoint, ...] | None = None
        with suppress(NetworkError, TenantError):
            found = graph.trend(place.site.id, place.server.id, names[metric.id], start, end)
            points = tuple(TrendPoint(at=item.date_time, value=item.value) for item in found)
        return Trend(id=metric.id, title=metric.title, unit=metric.unit, points=points)

    report = ServerHealthReport(
        at=end,
        site=place.site.display_name,
        site_id=place.site.id,
        name=place.server.display_name,
        id=place.server.id,
        health=place.server.tunnel_server_health_status or HealthStatus.UNKNOWN,
        version=release_of(place.server, published()),
        rows=tuple(judge_server(place.server, seen.figures, thresholds, end)),
        trends=tuple(at_once(trend, [item for item in METRICS if item.trend])),
    )
    notices = missing_figures([seen])
    if report.health in _DOWN or report.health is HealthStatus.WARNING:
        not_healthy = warning(
            "server-not-healthy",
            "the server {name} is {status}",
            hint="Run `mst-cli status` on the server; it names the command that fixes each problem.",
            name=report.name,
            status=report.health.value,
        )
        notices = (not_healthy, *notices)
    return Result(
        "warning" if notices else "ok",
        report,
        notices,
        text=[*_lines(report, start, end, days)],
        exit_code=ExitCode.CHECK if report.health in _DOWN else ExitCode.DONE,
    )


def _lines(report: ServerHealthReport, start: datetime, end: datetime, days: int) -> Iterator[str]:
    yield f"{report.name}, site {report.site}: {report.health.value}"
    yield ""
    for row in report.rows:
        line = text("{title:30}  {value:10} {words}", title=row.title, value=row.status.value, words=row.text)
        yield from folded(fold(line), row.title, row.status.value, row.text)
    yield ""
    columns = min(days * _BLOCKS_A_DAY, _MOST_COLUMNS)
    yield text(
        "Last {days} day{plural}, one bar for every {columns:g} hours:",
        days=days,
        plural="" if days == 1 else "s",
        columns=24 * days / columns,
    )
    for trend in report.trends:
        yield trend.line(start, end, columns)
