"""`mst-admin health`: one server, row by row, and how it was over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mst_admin.change import Body
from mst_admin.fleet import Place, at_once, find_place, look, missing_figures, release_of
from mst_admin.metrics import METRICS, TRENDS, Metric
from mst_admin.server_health import HealthRow, judge_server, names_in_graph, sparkline
from mst_admin.session import open_tenant
from mstunnel_setup.base.errors import ExitCode, NetworkError, TenantError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold, folded, text
from mstunnel_setup.exchange.releases import published
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import HealthStatus, MetricPoint

_BLOCKS_A_DAY: Final = 8
"""The service averages over three hours."""
_MOST_COLUMNS: Final = 40
_DOWN: Final = frozenset({HealthStatus.UNHEALTHY, HealthStatus.OFFLINE, HealthStatus.UPGRADE_FAILED})


@dataclass(frozen=True)
class Trend:
    """A metric over time; None for its points is what the tenant did not give."""

    metric: Metric
    points: Sequence[MetricPoint] | None

    def document(self) -> Body:
        """The trend as JSON."""
        points = None
        if self.points is not None:
            points = [{"at": point.date_time.isoformat(), "value": point.value} for point in self.points]
        return {
            "id": self.metric.name,
            "title": self.metric.title,
            "unit": self.metric.unit,
            "points": points,
        }

    def line(self, start: datetime, end: datetime, columns: int) -> str:
        """The trend for people."""
        if not self.points:
            return f"{self.metric.title:20} {'unknown' if self.points is None else text('nothing reported')}"
        values = [point.value for point in self.points]
        course = sparkline(self.points, start, end, columns)
        span = f"{min(values)} to {max(values)} {self.metric.unit}".rstrip()
        return text("{title:20} {course}  {span}", title=self.metric.title, course=course, span=span)


def health(operator: Operator, settings: Settings, site: str | None, wanted: str, days: int) -> Result:
    """Every row of a server, and its trends over `days`; exit code 3 when it is unhealthy or offline."""
    graph = open_tenant(operator, settings)
    place, thresholds = find_place(graph, site, wanted), graph.thresholds()
    names = names_in_graph(thresholds)
    seen = look(graph, place, names)
    end = operator.clock.now()
    start = end - timedelta(days=days)
    wanted_trends = [item for item in METRICS if item.name in TRENDS]
    trends = at_once(
        lambda item: Trend(item, _points(graph, place, names[item.name], start, end)), wanted_trends
    )
    rows = [*judge_server(place.server, seen.figures, thresholds, end)]
    status = place.server.tunnel_server_health_status or HealthStatus.UNKNOWN
    notices = (*_not_healthy(place, status), *missing_figures([seen]))
    data: Body = {
        "at": end.isoformat(timespec="seconds"),
        "site": place.site.display_name,
        "site_id": place.site.id,
        "name": place.server.display_name,
        "id": place.server.id,
        "health": status,
        "version": release_of(place.server, published()),
        "rows": [vars(row) for row in rows],
        "trends": [trend.document() for trend in trends],
    }
    return Result(
        "warning" if notices else "ok",
        data,
        notices,
        text=[*_lines(place, status, rows), "", *_trend_lines(trends, start, end, days)],
        exit_code=ExitCode.CHECK if status in _DOWN else ExitCode.DONE,
    )


def _points(
    graph: AdminGraph, place: Place, name: str, start: datetime, end: datetime
) -> Sequence[MetricPoint] | None:
    try:
        return graph.trend(place.site.id, place.server.id, name, start, end)
    except (NetworkError, TenantError):
        return None


def _not_healthy(place: Place, status: HealthStatus) -> Iterator[Problem]:
    if status in _DOWN or status is HealthStatus.WARNING:
        yield warning(
            "server-not-healthy",
            "the server {name} is {status}",
            hint="Run `mst-cli status` on the server; it names the command that fixes each problem.",
            name=place.server.display_name,
            status=status.value,
        )


def _lines(place: Place, status: HealthStatus, rows: Sequence[HealthRow]) -> Iterator[str]:
    yield f"{place.server.display_name}, site {place.site.display_name}: {status.value}"
    yield ""
    for row in rows:
        line = text("{title:30}  {value:10} {words}", title=row.title, value=row.status.value, words=row.text)
        yield from folded(fold(line), row.title, row.status.value, row.text)


def _trend_lines(trends: Sequence[Trend], start: datetime, end: datetime, days: int) -> Iterator[str]:
    columns = min(days * _BLOCKS_A_DAY, _MOST_COLUMNS)
    yield text(
        "Last {days} day{plural}, {columns:g} hours a bar:",
        days=days,
        plural="" if days == 1 else "s",
        columns=24 * days / columns,
    )
    for trend in trends:
        yield trend.line(start, end, columns)
