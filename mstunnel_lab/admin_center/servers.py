"""Admin center: servers and their health; health check, trends and logs of one; thresholds.

Rows of the health check are those of the agent's own table (docs/reference/health.md): names of Intune's
metrics are not public. Charts are SVG: coordinates computed here, drawn by a template, without scripts.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.metrics import METRICS, ThresholdObject, judge_threshold, kind_of
from mstunnel_lab.admin_center.forms import Problems, Values
from mstunnel_lab.admin_center.render import attachment, field, go_to, page
from mstunnel_lab.admin_center.sections import Column, delete_page, listing
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.errors import GraphError, not_found
from mstunnel_lab.graph.servers import SERVERS, metric_in_graph, request_logs, signed_address
from mstunnel_lab.graph.tunnel import THRESHOLDS, status_of
from mstunnel_lab.health import ReportedHealth
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab, labs_of
from mstunnel_lab.store import Point
from mstunnel_setup.base import rendering
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text, with_hint
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.health_rows import HealthRow
from mstunnel_setup.tenant.wire import HealthStatus, HealthThreshold, LogCollection

_SERVERS: Final = "/admin/servers"
_HEALTH: Final = "/admin/health"
_SPANS: Final = {"day": 86400, "week": 7 * 86400, "month": 30 * 86400}
WIDTH: Final = 640
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 28
_STEPS: Final = 4
_TIMES: Final = 3


def server_columns(lab: Lab) -> tuple[Column[ServerRecord], ...]:
    """Return name, site, health status and last check-in."""

    def site(item: ServerRecord) -> str:
        found = lab.store.get(SiteRecord, item.site_id)
        return found.display_name if found else ""

    def seen(item: ServerRecord) -> str:
        moment = item.last_checkin_date_time
        return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "never"

    return (
        Column("name", "Name", lambda item: item.display_name),
        Column("site", "Site", site),
        Column("status", "Health status", lambda item: status_of(lab, item).value, "status"),
        Column("seen", "Last check-in", seen),
    )


@signed_in
async def servers(request: Request, lab: Lab) -> Response:
    """List the servers of all sites."""
    mode = Column[ServerRecord]("mode", "Deployment mode", lambda item: item.deployment_mode or "")
    found = listing(request, lab.store.each(ServerRecord), (*server_columns(lab), mode))
    return page(request, "list.html", tab="servers", title="Servers", found=found, create="Create")


@signed_in
async def create(request: Request, lab: Lab) -> Response:
    """Show how to add a server, or download the answers for this tenant or the installation script.

    The script joins the home tenant, to which `--lab` connects.
    """
    labs = labs_of(request)
    is_home = lab.tenant.id == labs.home.tenant.id
    if request.url.path.endswith("/mstunnel-setup"):
        if not is_home:
            raise not_found("script", lab.tenant.id)
        script = rendering.render("lab/mstunnel-setup", lab_option=labs.setup_option)
        return attachment("mstunnel-setup", script, "application/x-sh")
    certificate = labs.authority.certificate_path.read_text().splitlines()
    client_id = lab.application_for("setup")
    answers = rendering.render(
        "lab/answers.yaml", urls=lab.urls, client_id=client_id, certificate=certificate
    )
    if request.url.path.endswith("/answers.yaml"):
        return attachment("answers.yaml", answers, "application/yaml")
    return page(request, "server_new.html", tab="servers", answers=answers, has_script=is_home)


@signed_in
async def server(request: Request, lab: Lab) -> Response:
    """Show a server, or change its name."""
    found = SERVERS.find(lab, request.path_params["id"])
    problem = ""
    if request.method == "POST":
        name = field(await request.form(), "name").strip()
        try:
            SERVERS.change(lab, found, {"displayName": name})
            return go_to(f"{_SERVERS}/{found.id}?saved")
        except GraphError as error:
            problem = error.message
    return page(
        request,
        "server.html",
        400 if problem else 200,
        tab="servers",
        found=found,
        site=lab.store.get(SiteRecord, found.site_id),
        state=status_of(lab, found).value,
        problem=problem,
        saved="saved" in request.query_params,
    )


@signed_in
async def delete(request: Request, lab: Lab) -> Response:
    """Remove a server after a confirmation."""
    found = SERVERS.find(lab, request.path_params["id"])
    if request.method == "GET":
        return delete_page(
            request,
            "server",
            _SERVERS,
            found.id,
            name=found.display_name,
            also="The gateway itself keeps running: uninstall it on its host (mst-cli uninstall).",
        )
    SERVERS.remove(lab, found)
    return go_to(_SERVERS)


class Mark(NamedTuple):
    """A label at a position on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One line over time, with the values as rows for screen readers."""

    name: str
    title: str
    unit: str
    summary: str
    dots: tuple[tuple[float, float], ...]
    values: tuple[Mark, ...]
    times: tuple[Mark, ...]
    rows: tuple[tuple[str, str], ...]

    @property
    def line(self) -> str:
        """The points of the line."""
        return " ".join(f"{x},{y}" for x, y in self.dots)


def chart(metric: HealthRow, points: Sequence[Point], start: float, end: float) -> Chart:
    """Draw the points of a metric over [start, end] (Unix times)."""
    # The axis ends at a round number that is not below any value: 1, 2, 4, 5 or 8 times a power of ten,
    # at least 4.
    highest, size = max([_STEPS, *(point.value for point in points)]), 1
    while 8 * size < highest:
        size *= 10
    top = next(digit * size for digit in (1, 2, 4, 5, 8) if digit * size >= highest)

    def x(at: float) -> float:
        return round(_LEFT + (at - start) / (end - start) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM), 1)

    def moment(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M")

    summary = "Nothing was reported in this time."
    if values := [point.value for point in points]:
        low, high, last = (
            f"{number:.0f} {metric.unit}".strip() for number in (min(values), max(values), values[-1])
        )
        summary = text("Lowest {low}, highest {high}, last {last}.", low=low, high=high, last=last)
    steps = [top * step / _STEPS for step in range(_STEPS + 1)]
    moments = [start + (end - start) * step / _TIMES for step in range(_TIMES + 1)]
    return Chart(
        metric.id,
        metric.title,
        metric.unit,
        summary,
        dots=tuple((x(point.at), y(point.value)) for point in points),
        values=tuple(Mark(y(value), f"{value:g}") for value in steps),
        times=tuple(Mark(x(at), moment(at)) for at in moments),
        rows=tuple((moment(point.at), f"{point.value:.1f}") for point in points),
    )


class HealthLine(NamedTuple):
    """One line of the health check."""

    title: str
    value: str
    status: HealthStatus


def health_checks(
    health: ReportedHealth | None,
    last_checkin: datetime | None,
    thresholds: Mapping[str, HealthThreshold],
    now: datetime,
) -> tuple[HealthLine, ...]:
    """Rate a server's report: figures by the tenant's thresholds, other rows as the server does."""
    fresh = last_checkin is not None and now - last_checkin <= timedelta(minutes=5)
    seen = last_checkin.strftime("%Y-%m-%d %H:%M:%S UTC") if last_checkin else "never"
    rows = [HealthLine("Last check-in", seen, HealthStatus.HEALTHY if fresh else HealthStatus.UNHEALTHY)]
    said = {item.id: item for item in health.checks} if health else {}
    figures = health.metrics if health else {}
    for metric in METRICS:
        own, figure = said.get(metric.id), figures.get(metric.id)
        status = own.status if own else HealthStatus.UNKNOWN
        shown = own.text if own else "not reported"
        if figure is not None:
            value = figure / metric.scale
            status = threshold_status(value, thresholds.get(metric.graph_name)) or status
            if own is None or metric.unit:
                shown = f"{value:.0f} {metric.unit}".strip()
        rows.append(HealthLine(metric.title, shown, status))
    return tuple(rows)


def threshold_status(value: float, threshold: HealthThreshold | None) -> HealthStatus | None:
    """Return the status of a value by the tenant's two thresholds; None without both."""
    if threshold is None or threshold.healthy_threshold is None or threshold.unhealthy_threshold is None:
        return None
    kind = kind_of(threshold.id)
    if kind is None:
        return None
    return HealthStatus(kind.verdict(value, threshold.healthy_threshold, threshold.unhealthy_threshold))


@signed_in
async def overview(request: Request, lab: Lab) -> Response:
    """Show the status of all servers."""
    everything = lab.store.each(ServerRecord)
    found = listing(request, everything, server_columns(lab))
    counts = Counter(status_of(lab, item).value for item in everything)
    return page(request, "health.html", tab="health", found=found, counts=counts)


@signed_in
async def check(request: Request, lab: Lab) -> Response:
    """Show one server's report with states."""
    found = SERVERS.find(lab, request.path_params["id"])
    present = {item.id: item for item in lab.store.each(HealthThreshold)}
    lines = health_checks(found.health, found.last_checkin_date_time, present, datetime.now(UTC))
    return _server_page(request, lab, found, "health_check.html", checks=lines, view="check")


@signed_in
async def trend(request: Request, lab: Lab) -> Response:
    """Show the trends of one server."""
    found = SERVERS.find(lab, request.path_params["id"])
    span = request.query_params.get("span", "")
    span = span if span in _SPANS else "day"
    end = time.time()
    start = end - _SPANS[span]
    charts = []
    for metric in [metric for metric in METRICS if metric.trend]:
        reported = lab.store.trend(found.id, metric.id, start, end)
        points = [Point(point.at, point.value / metric.scale) for point in reported]
        charts.append(chart(metric, points, start, end))
    shown = {"charts": charts, "span": span, "spans": tuple(_SPANS), "block": lab.tenant.trend_block}
    return _server_page(
        request, lab, found, "health_trends.html", view="trends", width=WIDTH, height=HEIGHT, **shown
    )


@signed_in
async def logs(request: Request, lab: Lab) -> Response:
    """Show the logs requested from one server, or request some."""
    found = SERVERS.find(lab, request.path_params["id"])
    if request.method == "POST":
        now = datetime.now(UTC)
        request_logs(lab, found, now - timedelta(hours=8), now)
        return go_to(f"{_HEALTH}/{found.id}/logs")
    items = lab.store.each(LogCollection, parent=found.id)
    addresses = {item.id: signed_address(request, item.id) for item in items if item.status == "completed"}
    return _server_page(
        request, lab, found, "health_logs.html", items=items, addresses=addresses, view="logs"
    )


def _server_page(
    request: Request, lab: Lab, found: ServerRecord, template: str, **values: object
) -> Response:
    site = lab.store.get(SiteRecord, found.site_id)
    state = status_of(lab, found).value
    return page(request, template, 200, tab="health", found=found, site=site, state=state, **values)


@signed_in
async def thresholds(request: Request, lab: Lab) -> Response:
    """Show or change the thresholds of all metrics, or return to the defaults."""
    present = [item for item in lab.store.each(HealthThreshold) if metric_in_graph(item.id)]
    typed: dict[str, str] = {}
    problems: Problems = {}
    if request.method == "POST":
        form = await request.form()
        if field(form, "decision") == "revert":
            with lab.store.transaction():
                for item in lab.store.each(HealthThreshold):
                    update = {
                        "healthy_threshold": item.default_healthy_threshold,
                        "unhealthy_threshold": item.default_unhealthy_threshold,
                    }
                    lab.store.replace(item.model_copy(update=update))
        else:
            names = [f"{item.id}-{kind}" for item in present for kind in ("healthy", "unhealthy")]
            typed = {name: field(form, name) for name in names}
            problems = _change(lab, typed, present)
        if not problems:
            return go_to(f"{_HEALTH}/thresholds?saved")
    return page(
        request,
        "thresholds.html",
        400 if problems else 200,
        tab="health",
        lines=[(item, metric_in_graph(item.id)) for item in present],
        typed=typed,
        problems=problems,
        saved="saved" in request.query_params,
    )


def _change(lab: Lab, typed: Values, present: Sequence[HealthThreshold]) -> Problems:
    """Store all thresholds or none; return the problems by metric."""
    wanted: list[tuple[HealthThreshold, JsonObject]] = []
    problems: Problems = {}
    for item in present:
        healthy = whole_number(typed[f"{item.id}-healthy"].strip())
        unhealthy = whole_number(typed[f"{item.id}-unhealthy"].strip())
        if healthy is None or unhealthy is None:
            problems[item.id] = ["Write two whole numbers."]
            continue
        declared = ThresholdObject(metric=item.id, healthy=healthy, unhealthy=unhealthy)
        if findings := judge_threshold(declared):
            problems[item.id] = [with_hint(findings[0].message, findings[0].hint)]
        wanted.append((item, {"healthyThreshold": healthy, "unhealthyThreshold": unhealthy}))
    if not problems:
        with lab.store.transaction():
            for item, document in wanted:
                THRESHOLDS.change(lab, item, document)
    return problems


ROUTES = [
    Route(_SERVERS, servers),
    *(Route(f"{_SERVERS}/new{path}", create) for path in ("", "/mstunnel-setup", "/answers.yaml")),
    Route(f"{_SERVERS}/{{id}}", server, methods=["GET", "POST"]),
    Route(f"{_SERVERS}/{{id}}/delete", delete, methods=["GET", "POST"]),
    Route(_HEALTH, overview),
    Route(f"{_HEALTH}/thresholds", thresholds, methods=["GET", "POST"]),
    Route(f"{_HEALTH}/{{id}}", check),
    Route(f"{_HEALTH}/{{id}}/trends", trend),
    Route(f"{_HEALTH}/{{id}}/logs", logs, methods=["GET", "POST"]),
]
