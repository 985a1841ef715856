"""Graph below /deviceManagement: the servers of a site, their health and the collection of their logs."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mst_admin.metrics import METRICS
from mstunnel_lab import trends, tunnel
from mstunnel_lab.entra import permissions
from mstunnel_lab.graph.bodies_tunnel import LogRequestBody, MetricNamesBody, TimeSeriesBody
from mstunnel_lab.graph.http import (
    CREATED,
    caller_of,
    collection,
    entity,
    moment,
    one,
    read_body,
    read_json,
    values,
)
from mstunnel_lab.graph.lazy_entities import Documents
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.graph.tunnel import SITES, site_in_path
from mstunnel_lab.health import metric_in_graph
from mstunnel_lab.records import ServerRecord
from mstunnel_lab.state import lab_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelServer

_SERVER: Final = entity_type("microsoft.graph.microsoftTunnelServer", TunnelServer)
_LOGS: Final = "deviceManagement/microsoftTunnelServerLogCollectionResponses"


def _server(request: Request) -> ServerRecord:
    return tunnel.server_called(lab_of(request), site_in_path(request), request.path_params["server_id"])


async def servers(request: Request) -> Response:
    """List or register the servers of a site."""
    lab, caller = lab_of(request), caller_of(request)
    context = f"{SITES}('{request.path_params['id']}')/microsoftTunnelServers"
    if request.method == "POST":
        permissions.may_register_server(caller)
        created = tunnel.register_server(lab, site_in_path(request), await read_json(request), caller)
        return entity(request, tunnel.server_document(lab, created), f"{context}/$entity", CREATED)
    permissions.may_read_tunnel(caller)
    found = site_in_path(request)
    documents = Documents(
        lab.store, ServerRecord, lambda item: tunnel.server_document(lab, item), parent=found.id
    )
    return collection(request, documents, _SERVER, context)


async def count(request: Request) -> Response:
    """Answer `$count` as plain text."""
    permissions.may_read_tunnel(caller_of(request))
    return PlainTextResponse(str(lab_of(request).store.count(ServerRecord, parent=site_in_path(request).id)))


async def server(request: Request) -> Response:
    """Read, change (by its agent: check in) or remove one server."""
    lab, caller = lab_of(request), caller_of(request)
    context = f"{SITES}('{request.path_params['id']}')/microsoftTunnelServers/$entity"
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        return one(request, tunnel.server_document(lab, _server(request)), _SERVER, context)
    permissions.may_write_tunnel(caller)
    found = _server(request)
    if request.method == "DELETE":
        permissions.may_remove_server(caller, found)
        tunnel.delete_server(lab, found)
        return Response(status_code=204)
    permissions.may_change_server(caller, found)
    changed = tunnel.change_server(lab, found, await read_json(request), caller)
    return entity(request, tunnel.server_document(lab, changed), context)


async def health_metrics(request: Request) -> Response:
    """Tell the last reported values of some metrics; those that were never reported are left out."""
    permissions.may_read_tunnel(caller_of(request))
    names = (await read_body(request, MetricNamesBody)).metric_names
    health = _server(request).lab_health
    known = health.metrics if health else {}
    found: list[JsonObject] = [
        {"name": name, "value": round(known[metric.name] / metric.scale)}
        for name in names
        if (metric := metric_in_graph(name)) and metric.name in known
    ]
    return values(request, found, "Collection(microsoft.graph.keyLongValuePair)")


async def health_time_series(request: Request) -> Response:
    """Tell the averages of a metric over time."""
    permissions.may_read_tunnel(caller_of(request))
    wish = await read_body(request, TimeSeriesBody)
    lab, found = lab_of(request), _server(request)
    metric = next(item for item in METRICS if item.graph_name == wish.metric_name)
    start, end = wish.start_date_time.timestamp(), wish.end_date_time.timestamp()
    shown: list[JsonObject] = [
        {"dateTime": moment(point.at), "value": round(point.value / metric.scale)}
        for point in trends.points(lab.store, found.id, metric.name, start, end)
    ]
    return values(request, shown, "Collection(microsoft.graph.metricTimeSeriesDataPoint)")


async def request_logs(request: Request) -> Response:
    """Ask a server for its logs of a time."""
    permissions.may_write_tunnel(caller_of(request))
    wish = await read_body(request, LogRequestBody)
    made = tunnel.ask_for_logs(lab_of(request), _server(request), wish.start_date_time, wish.end_date_time)
    return entity(request, made.document(), f"{_LOGS}/$entity")


_SERVERS: Final = "/microsoftTunnelSites/{id}/microsoftTunnelServers"
_ONE: Final = f"{_SERVERS}/{{server_id}}"
ROUTES = [
    Route(_SERVERS, servers, methods=["GET", "POST"]),
    Route(f"{_SERVERS}/$count", count),
    Route(_ONE, server, methods=["GET", "PATCH", "DELETE"]),
    Route(f"{_ONE}/getHealthMetrics", health_metrics, methods=["POST"]),
    Route(f"{_ONE}/getHealthMetricTimeSeries", health_time_series, methods=["POST"]),
    Route(f"{_ONE}/createServerLogCollectionRequest", request_logs, methods=["POST"]),
    Route(f"{_ONE}/generateServerLogCollectionRequest", request_logs, methods=["POST"]),
]
