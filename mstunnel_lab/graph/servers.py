"""Graph below /deviceManagement: the servers of a site, their health and the collection of their logs."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, AwareDatetime, Field, StrictInt, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.metrics import METRICS
from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.permissions import Caller
from mstunnel_lab.errors import NOT_FOUND, GraphError, bad_request, conflict
from mstunnel_lab.graph import http
from mstunnel_lab.graph.bodies import Body, Guid, Name, judge
from mstunnel_lab.graph.tunnel import SITES, TunnelEntities, server_document
from mstunnel_lab.health import MetricName, ReportedHealth, known_member
from mstunnel_lab.pki import write_private
from mstunnel_lab.records import ServerRecord
from mstunnel_lab.state import Lab, lab_of, labs_of
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.exchange.health_rows import HealthRow
from mstunnel_setup.tenant import wire

_NAME: Final = "microsoftTunnelServer"
_ADDRESS_LIFE: Final = 600


def _graph_metric(value: str) -> str:
    if metric_in_graph(value) is None:
        raise ValueError(f"there is no metric {value}")
    return value


def metric_in_graph(name: str) -> HealthRow | None:
    """Return the metric with this name in Graph, or None."""
    return next((metric for metric in METRICS if metric.graph_name == name), None)


GraphMetric = Annotated[MetricName, AfterValidator(_graph_metric)]


class ServerBody(Body, entity=wire.TunnelServer, name=_NAME):
    """The body of a microsoftTunnelServer."""

    display_name: Name
    deployment_mode: Annotated[wire.DeploymentMode, AfterValidator(known_member)] = (
        wire.DeploymentMode.STANDALONE_ROOTFUL
    )


class MetricNamesBody(Body, entity=wire.TunnelServer, name=_NAME):
    """The parameters of the action getHealthMetrics."""

    metric_names: Annotated[tuple[GraphMetric, ...], Field(min_length=1, max_length=100)]


class LogRequestBody(Body, entity=wire.TunnelServer, name=_NAME):
    """The parameters of createServerLogCollectionRequest and generateServerLogCollectionRequest."""

    start_date_time: AwareDatetime
    end_date_time: AwareDatetime

    @model_validator(mode="after")
    def _end_is_later(self) -> Self:
        if self.end_date_time <= self.start_date_time:
            raise ValueError("endDateTime must be after startDateTime")
        return self


class TimeSeriesBody(LogRequestBody):
    """The parameters of the action getHealthMetricTimeSeries."""

    metric_name: GraphMetric


class _LogCollectionBody(Body, entity=wire.LogCollection, name="microsoftTunnelServerLogCollectionResponse"):
    server_id: Guid
    status: Annotated[wire.LogCollectionStatus, AfterValidator(known_member)] = (
        wire.LogCollectionStatus.PENDING
    )
    request_date_time: AwareDatetime | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None
    expiry_date_time: AwareDatetime | None = None
    size_in_bytes: Annotated[StrictInt, Field(ge=0)] = 0


@dataclass(frozen=True)
class _Servers(TunnelEntities[ServerRecord]):
    def document(self, lab: Lab, found: ServerRecord, _expand: frozenset[str] = frozenset()) -> JsonObject:
        return server_document(lab, found)

    def require(self, method: str, _lab: Lab, caller: Caller, found: ServerRecord, /) -> None:
        if method == "DELETE":
            permissions.may_remove_server(caller, found)
        else:
            permissions.may_change_server(caller, found)

    def create_as(self, caller: Caller, lab: Lab, document: object, parent: str) -> ServerRecord:
        """Register a server, and note the application that did."""
        registrar = caller.app_id if caller.user is None else ""
        facts = {"id": str(uuid.uuid4()), "siteId": parent, "registrarAppId": registrar}
        body = judge(ServerBody, document).document()
        created = ServerRecord.from_wire({"tunnelServerHealthStatus": "unknown", **facts, **body})
        lab.store.add(created, parent=parent)
        return created

    def change_as(self, caller: Caller, lab: Lab, found: ServerRecord, document: object) -> ServerRecord:
        """An application that changes a server checks in: the first one to do so is that of its agent."""
        body = judge(ServerBody, document, found.public())
        given = document if isinstance(document, dict) else {}
        if "deploymentMode" in given and body.deployment_mode != found.deployment_mode:
            message = "The property 'deploymentMode' is set at registration only."
            raise bad_request(message)
        changed = ServerRecord.from_wire(found.document() | body.document())
        if caller.user is not None:
            lab.store.replace(changed)
            return changed
        with lab.store.passing():
            update = {"agent_app_id": caller.app_id, "last_checkin_date_time": datetime.now(UTC)}
            changed = changed.model_copy(update=update)
            lab.store.replace(changed)
        return changed

    def remove(self, lab: Lab, found: ServerRecord) -> None:
        """Remove a server, its trends and its collected logs."""
        with lab.store.transaction():
            for item in lab.store.each(wire.LogCollection, parent=found.id):
                _LOGS.remove(lab, item)
            lab.store.forget_trends(found.id)
            super().remove(lab, found)


SERVERS: Final = _Servers(
    "microsoftTunnelServers",
    ServerRecord,
    (ServerBody,),
    parent=SITES,
    may_create=permissions.may_register_server,
)


def report_health(lab: Lab, server: ServerRecord, health: ReportedHealth) -> ServerRecord:
    """Store what a server reported about itself, as the service does with the reports of its own agent."""
    update = {
        "health": health,
        "tunnel_server_health_status": health.status,
        "server_image_digest": health.server_image_digest,
        "agent_image_digest": health.agent_image_digest,
    }
    changed = server.model_copy(update=update)
    lab.store.replace(changed)
    lab.store.add_trend(server.id, health.metrics, time.time(), lab.tenant.trend_block)
    return changed


def request_logs(lab: Lab, server: ServerRecord, start: datetime, end: datetime) -> wire.LogCollection:
    """Request a server's logs for a period."""
    now = datetime.now(UTC)
    made = wire.LogCollection(
        id=str(uuid.uuid4()),
        server_id=server.id,
        status=wire.LogCollectionStatus.PENDING,
        request_date_time=now,
        start_date_time=start,
        end_date_time=end,
        expiry_date_time=now + timedelta(days=14),
        size_in_bytes=0,
    )
    lab.store.add(made, parent=server.id)
    return made


@dataclass(frozen=True)
class _Logs(TunnelEntities[wire.LogCollection]):
    def create(self, lab: Lab, document: object) -> wire.LogCollection:
        body = judge(_LogCollectionBody, document)
        created = wire.LogCollection.from_wire({"id": str(uuid.uuid4()), **body.document()})
        SERVERS.find(lab, created.server_id)
        lab.store.add(created, parent=created.server_id)
        return created

    def remove(self, lab: Lab, found: wire.LogCollection) -> None:
        (lab.uploads / found.id).unlink(missing_ok=True)
        super().remove(lab, found)


_LOGS: Final = _Logs("microsoftTunnelServerLogCollectionResponses", wire.LogCollection, (_LogCollectionBody,))


async def health_metrics(request: Request) -> Response:
    """Return the last reported values of some metrics; unreported ones are left out."""
    http.admitted(request, permissions.may_read_tunnel)
    names = (await http.read_body(request, MetricNamesBody)).metric_names
    health = SERVERS.named_in(request).health
    known = health.metrics if health else {}
    found: list[JsonValue] = [
        {"name": name, "value": round(known[metric.id] / metric.scale)}
        for name in names
        if (metric := metric_in_graph(name)) and metric.id in known
    ]
    return http.entity(request, {"value": found}, "Collection(microsoft.graph.keyLongValuePair)")


async def health_time_series(request: Request) -> Response:
    """Return the averages of a metric over time."""
    lab, _ = http.admitted(request, permissions.may_read_tunnel)
    wanted = await http.read_body(request, TimeSeriesBody)
    found = SERVERS.named_in(request)
    metric = next(item for item in METRICS if item.graph_name == wanted.metric_name)
    start, end = wanted.start_date_time.timestamp(), wanted.end_date_time.timestamp()
    shown: list[JsonValue] = [
        {
            "dateTime": f"{datetime.fromtimestamp(point.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "value": round(point.value / metric.scale),
        }
        for point in lab.store.trend(found.id, metric.id, start, end)
    ]
    return http.entity(request, {"value": shown}, "Collection(microsoft.graph.metricTimeSeriesDataPoint)")


async def answer_log_request(request: Request) -> Response:
    """Create the log collection that the client requests of a server, for a period, and return it."""
    lab, _ = http.admitted(request, permissions.may_update_tunnel)
    wanted = await http.read_body(request, LogRequestBody)
    made = request_logs(lab, SERVERS.named_in(request), wanted.start_date_time, wanted.end_date_time)
    return http.entity(request, made.document(), f"{_LOGS.context()}/$entity")


def keep_logs(lab: Lab, found: wire.LogCollection, content: bytes) -> None:
    """Keep the logs of a server, a file of any kind; this completes the collection."""
    lab.uploads.mkdir(mode=0o700, exist_ok=True)
    write_private(lab.uploads / found.id, content)
    update = {"status": wire.LogCollectionStatus.COMPLETED, "size_in_bytes": len(content)}
    lab.store.replace(found.model_copy(update=update))


async def download_address(request: Request) -> Response:
    """Create an address from which to download the logs for ten minutes, without a token."""
    http.admitted(request, permissions.may_read_tunnel)
    found = _LOGS.named_in(request)
    if found.status is not wire.LogCollectionStatus.COMPLETED:
        raise conflict("The logs have not been collected.")
    return http.entity(request, {"value": signed_address(request, found.id)}, "Edm.String")


def signed_address(request: Request, identifier: str) -> str:
    """Return the address of uploaded logs, with its expiry and its signature."""
    lab, until = lab_of(request), int(time.time()) + _ADDRESS_LIFE
    signature = labs_of(request).sign("logs", lab.tenant.id, identifier, str(until))
    return f"{lab.urls.graph}/lab/logs/{lab.tenant.id}/{identifier}?until={until}&signature={signature}"


async def download(request: Request) -> Response:
    """Serve uploaded logs to any client that has their address."""
    tenant, identifier = request.path_params["tenant"], request.path_params["id"]
    until, given = request.query_params.get("until", ""), request.query_params.get("signature", "")
    signed = labs_of(request).verify("logs", given, tenant, identifier, until)
    path = lab_of(request).uploads / identifier
    if not signed or (whole_number(until, 12) or 0) < time.time() or not path.is_file():
        raise GraphError(NOT_FOUND, "ResourceNotFound", "There are no logs at this address.")
    headers = {"Content-Disposition": f'attachment; filename="{identifier}.tar.gz"'}
    return Response(path.read_bytes(), media_type="application/octet-stream", headers=headers)


ROUTES = [
    *SERVERS.routes,
    SERVERS.below("getHealthMetrics", health_metrics, "POST"),
    SERVERS.below("getHealthMetricTimeSeries", health_time_series, "POST"),
    SERVERS.below("createServerLogCollectionRequest", answer_log_request, "POST"),
    SERVERS.below("generateServerLogCollectionRequest", answer_log_request, "POST"),
    *_LOGS.routes,
    _LOGS.below("createDownloadUrl", download_address, "POST"),
    _LOGS.below("generateDownloadUrl", download_address, "POST"),
]
DOWNLOADS = [Route("/lab/logs/{tenant}/{id}", download)]
