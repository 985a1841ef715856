"""Admin center: health status of all servers; health check, trends and logs of one; thresholds."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.metrics import TRENDS
from mst_admin.objects.threshold import ThresholdObject, judge_threshold
from mstunnel_lab import health, trends, tunnel
from mstunnel_lab.admin_center.changes import RefusedError
from mstunnel_lab.admin_center.charts import HEIGHT, WIDTH, Chart, chart
from mstunnel_lab.admin_center.forms import Problems
from mstunnel_lab.admin_center.lists import listing
from mstunnel_lab.admin_center.render import field, go_to, page
from mstunnel_lab.admin_center.server_columns import server_columns
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_tunnel import ThresholdBody
from mstunnel_lab.graph.lazy_entities import Rows
from mstunnel_lab.graph.logs import signed_address
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.tenant.wire import HealthThreshold, LogCollection

_ALL: Final = "/admin/health"
_TAB: Final = "health"
_SPANS: Final = {"day": 86400, "week": 7 * 86400, "month": 30 * 86400}
_LOG_HOURS: Final = 8


@signed_in
async def overview(request: Request, lab: Lab) -> Response:
    """Show the status of all servers."""
    found = listing(request, Rows(lab.store, ServerRecord), server_columns(lab))
    counts = Counter(tunnel.status_of(lab, item).value for item in lab.store.each(ServerRecord))
    return page(request, "health.html", tab=_TAB, found=found, counts=counts)


def _thresholds(lab: Lab) -> dict[str, HealthThreshold]:
    return {item.id: item for item in lab.store.each(HealthThreshold)}


@signed_in
async def check(request: Request, lab: Lab) -> Response:
    """Show what one server reported, judged."""
    found = lab.required(ServerRecord, request.path_params["id"])
    lines = health.checks(found.lab_health, found.last_checkin_date_time, _thresholds(lab), datetime.now(UTC))
    return _server_page(request, lab, found, "health_check.html", checks=lines, view="check")


@signed_in
async def trend(request: Request, lab: Lab) -> Response:
    """Show what one server reported over time."""
    found = lab.required(ServerRecord, request.path_params["id"])
    span = request.query_params.get("span", "day")
    seconds = _SPANS.get(span, _SPANS["day"])
    end = time.time()
    charts = [_chart(lab, found, name, end - seconds, end) for name in TRENDS]
    return _server_page(
        request,
        lab,
        found,
        "health_trends.html",
        charts=charts,
        view="trends",
        span=span if span in _SPANS else "day",
        spans=tuple(_SPANS),
        width=WIDTH,
        height=HEIGHT,
        block=lab.tenant.trend_block,
    )


def _chart(lab: Lab, found: ServerRecord, name: str, start: float, end: float) -> Chart:
    metric = health.metric_called(name)
    reported = trends.points(lab.store, found.id, name, start, end)
    points = [trends.Point(point.at, point.value / metric.scale) for point in reported]
    return chart(metric, points, start, end)


@signed_in
async def logs(request: Request, lab: Lab) -> Response:
    """Show the logs that were asked of one server, or ask for some."""
    found = lab.required(ServerRecord, request.path_params["id"])
    if request.method == "POST":
        now = datetime.now(UTC)
        tunnel.ask_for_logs(lab, found, now - timedelta(hours=_LOG_HOURS), now)
        return go_to(f"{_ALL}/{found.id}/logs")
    items = lab.store.each(LogCollection, parent=found.id)
    addresses = {item.id: signed_address(request, item.id) for item in items if item.status == "completed"}
    return _server_page(
        request, lab, found, "health_logs.html", items=items, addresses=addresses, view="logs"
    )


def _server_page(
    request: Request, lab: Lab, found: ServerRecord, template: str, **values: object
) -> Response:
    site = lab.store.get(SiteRecord, found.site_id)
    state = tunnel.status_of(lab, found).value
    return page(request, template, 200, tab=_TAB, found=found, site=site, state=state, **values)


@signed_in
async def thresholds(request: Request, lab: Lab) -> Response:
    """Show or change the thresholds of all metrics."""
    present = _thresholds(lab)
    typed: dict[str, str] = {}
    problems: Problems = {}
    if request.method == "POST":
        form = await request.form()
        if field(form, "decision") == "revert":
            _revert(lab, present)
            return go_to(f"{_ALL}/thresholds?saved")
        names = [f"{name}-{kind}" for name in present for kind in ("healthy", "unhealthy")]
        typed, problems = {name: field(form, name) for name in names}, _change(lab, form, present)
        if not problems:
            return go_to(f"{_ALL}/thresholds?saved")
    return page(
        request,
        "thresholds.html",
        400 if problems else 200,
        tab=_TAB,
        lines=[(item, metric) for item in present.values() if (metric := health.metric_in_graph(item.id))],
        typed=typed,
        problems=problems,
        saved="saved" in request.query_params,
    )


def _revert(lab: Lab, present: dict[str, HealthThreshold]) -> None:
    with lab.store.transaction():
        for item in present.values():
            update = {
                "healthy_threshold": item.default_healthy_threshold,
                "unhealthy_threshold": item.default_unhealthy_threshold,
            }
            lab.store.replace(item.model_copy(update=update))


def _change(lab: Lab, form: FormData, present: dict[str, HealthThreshold]) -> Problems:
    """Store all thresholds or none; returns what is wrong by metric."""
    changed: list[HealthThreshold] = []
    problems: Problems = {}
    for item in present.values():
        if health.metric_in_graph(item.id) is None:
            continue
        try:
            changed.append(_wished(form, item))
        except RefusedError as refusal:
            problems |= refusal.problems
        except GraphError as error:
            problems[item.id] = [(error.message,)]
    if not problems:
        with lab.store.transaction():
            for item in changed:
                lab.store.replace(item)
    return problems


def _wished(form: FormData, item: HealthThreshold) -> HealthThreshold:
    healthy, unhealthy = (
        whole_number(field(form, f"{item.id}-{kind}").strip()) for kind in ("healthy", "unhealthy")
    )
    if healthy is None or unhealthy is None:
        raise RefusedError({item.id: [("Write two whole numbers.",)]})
    wish = ThresholdObject(metric=item.id, healthy=healthy, unhealthy=unhealthy)
    for finding in judge_threshold(wish):
        raise RefusedError({item.id: [(finding.message, finding.hint)]})
    document = {"healthyThreshold": wish.healthy, "unhealthyThreshold": wish.unhealthy}
    stored = item.document()
    return HealthThreshold.from_wire(stored | judge(ThresholdBody, document, stored).document())


_FORM = ["GET", "POST"]
ROUTES = [
    Route(_ALL, overview),
    Route(f"{_ALL}/thresholds", thresholds, methods=_FORM),
    Route(f"{_ALL}/{{id}}", check),
    Route(f"{_ALL}/{{id}}/trends", trend),
    Route(f"{_ALL}/{{id}}/logs", logs, methods=_FORM),
]
