"""Graph below /deviceManagement: server configurations, sites, servers."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, overload

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mstunnel_setup.lab import permissions
from mstunnel_setup.lab.bodies_tunnel import ConfigurationBody, ServerBody, SiteBody
from mstunnel_setup.lab.errors import BAD_REQUEST, CONFLICT, GraphError, not_found
from mstunnel_setup.lab.graph_http import CREATED, caller_of, collection, entity, one, read_body, read_json
from mstunnel_setup.lab.odata import entity_type, parse_entity_query, selected
from mstunnel_setup.lab.permissions import Caller
from mstunnel_setup.lab.records import ServerRecord, SiteRecord
from mstunnel_setup.lab.state import Lab, lab_of
from mstunnel_setup.tenant.wire import HealthStatus, LabHealth, TunnelConfiguration, TunnelServer, TunnelSite

_CONFIGURATIONS: Final = "deviceManagement/microsoftTunnelConfigurations"
_SITES: Final = "deviceManagement/microsoftTunnelSites"
_CONFIGURATION: Final = entity_type("microsoft.graph.microsoftTunnelConfiguration", TunnelConfiguration)
_SITE: Final = entity_type(
    "microsoft.graph.microsoftTunnelSite",
    TunnelSite,
    navigation=("microsoftTunnelConfiguration", "microsoftTunnelServers"),
)
_SERVER: Final = entity_type("microsoft.graph.microsoftTunnelServer", TunnelServer)


def new_configuration(body: ConfigurationBody, identifier: str) -> TunnelConfiguration:
    """Return the state of a configuration after a body was written."""
    now = datetime.now(UTC).isoformat()
    document = {"id": identifier, "lastUpdateDateTime": now, **body.properties()}
    return TunnelConfiguration.from_wire(document)


def new_site(body: SiteBody, identifier: str, configuration_id: str) -> SiteRecord:
    """Return the state of a site after a body was written."""
    document = {"id": identifier, "configurationId": configuration_id, **body.properties()}
    return SiteRecord.from_wire({"upgradeAvailable": False, **document})


def server_document(lab: Lab, server: ServerRecord) -> dict[str, Any]:
    """Return a server as Graph shows it: offline when it has not checked in for long."""
    oldest = datetime.now(UTC) - timedelta(seconds=lab.tenant.offline_after)
    seen = server.last_checkin_date_time
    if seen is not None and seen < oldest:
        server = server.model_copy(update={"tunnel_server_health_status": HealthStatus.OFFLINE})
    return server.public()


def _configuration(lab: Lab, identifier: str) -> TunnelConfiguration:
    found = lab.store.get(TunnelConfiguration, identifier)
    if found is None:
        raise not_found("microsoftTunnelConfiguration", identifier)
    return found


def _site(request: Request) -> SiteRecord:
    found = lab_of(request).store.get(SiteRecord, request.path_params["id"])
    if found is None:
        raise not_found("microsoftTunnelSite", request.path_params["id"])
    return found


def _server(request: Request) -> ServerRecord:
    found = lab_of(request).store.get(ServerRecord, request.path_params["server_id"])
    if found is None or found.site_id != _site(request).id:
        raise not_found("microsoftTunnelServer", request.path_params["server_id"])
    return found


def _site_document(lab: Lab, site: SiteRecord, expand: frozenset[str]) -> dict[str, Any]:
    document = site.public()
    if "microsoftTunnelConfiguration" in expand:
        found = lab.store.get(TunnelConfiguration, site.configuration_id)
        document["microsoftTunnelConfiguration"] = (
            found.model_dump(mode="json", by_alias=True) if found else None
        )
    if "microsoftTunnelServers" in expand:
        servers = lab.store.each(ServerRecord, parent=site.id)
        document["microsoftTunnelServers"] = [server_document(lab, server) for server in servers]
    return document


def _public(configuration: TunnelConfiguration) -> dict[str, Any]:
    return configuration.model_dump(mode="json", by_alias=True)


async def configurations(request: Request) -> Response:
    """List or create server configurations."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_write_tunnel(caller)
        created = new_configuration(await read_body(request, ConfigurationBody), str(uuid.uuid4()))
        lab.store.add(created)
        return entity(request, _public(created), f"{_CONFIGURATIONS}/$entity", CREATED)
    permissions.may_read_tunnel(caller)
    documents = [_public(item) for item in lab.store.each(TunnelConfiguration)]
    return collection(request, documents, _CONFIGURATION, _CONFIGURATIONS)


async def configuration(request: Request) -> Response:
    """Read, change or delete one server configuration."""
    return await _one_configuration(request, request.path_params["id"])


async def site_configuration(request: Request) -> Response:
    """Read, change or delete the server configuration of a site, which all its other sites share."""
    caller_of(request)
    return await _one_configuration(request, _site(request).configuration_id)


async def _one_configuration(request: Request, identifier: str) -> Response:
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        found = _configuration(lab, identifier)
        return one(request, _public(found), _CONFIGURATION, f"{_CONFIGURATIONS}/$entity")
    permissions.may_write_tunnel(caller)
    found = _configuration(lab, identifier)
    if request.method == "DELETE":
        _refuse_used(lab, found)
        lab.store.remove(TunnelConfiguration, found.id)
        return Response(status_code=204)
    changed = new_configuration(await read_body(request, ConfigurationBody, _public(found)), found.id)
    lab.store.replace(changed)
    return entity(request, _public(changed), f"{_CONFIGURATIONS}/$entity")


def _refuse_used(lab: Lab, found: TunnelConfiguration) -> None:
    users = [site.display_name for site in lab.store.each(SiteRecord) if site.configuration_id == found.id]
    if users:
        message = f"The server configuration is used by the site '{users[0]}'."
        raise GraphError(CONFLICT, "Conflict", message)


class _Sites(Sequence[dict[str, Any]]):
    """All sites as Graph shows them; of a page, only its own are read from the store."""

    def __init__(self, lab: Lab) -> None:
        self._store = lab.store

    def __len__(self) -> int:
        return self._store.count(SiteRecord)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (item.public() for item in self._store.each(SiteRecord))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, int):
            return self[index : index + 1][0]
        start, stop, _ = index.indices(len(self))
        return [item.public() for item in self._store.some(SiteRecord, start, max(0, stop - start))]


def _expanded_site(lab: Lab, document: dict[str, Any], expand: frozenset[str]) -> dict[str, Any]:
    found = lab.store.get(SiteRecord, document["id"]) if expand else None
    return _site_document(lab, found, expand) if found else document


async def sites(request: Request) -> Response:
    """List or create sites."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_write_tunnel(caller)
        body = await read_body(request, SiteBody)
        created = new_site(body, str(uuid.uuid4()), _known_configuration(lab, body, ""))
        lab.store.add(created)
        return entity(request, created.public(), f"{_SITES}/$entity", CREATED)
    permissions.may_read_tunnel(caller)
    expand = _expanded(request)
    return collection(request, _Sites(lab), _SITE, _SITES, lambda item: _expanded_site(lab, item, expand))


def _expanded(request: Request) -> frozenset[str]:
    """Return what `$expand` names; the other options are judged where they are used."""
    options = {name: value for name, value in request.query_params.items() if name == "$expand"}
    return parse_entity_query(options, _SITE).expand


def _known_configuration(lab: Lab, body: SiteBody, current: str) -> str:
    wanted = body.configuration_id or current
    if not wanted or lab.store.get(TunnelConfiguration, wanted) is None:
        raise GraphError(
            BAD_REQUEST, "BadRequest", f"The site needs a server configuration that exists, not '{wanted}'."
        )
    return wanted


async def site(request: Request) -> Response:
    """Read, change or delete one site."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        document = _site_document(lab, _site(request), _expanded(request))
        query = parse_entity_query(request.query_params, _SITE)
        return entity(request, selected(document, query), f"{_SITES}/$entity")
    permissions.may_write_tunnel(caller)
    if request.method == "DELETE":
        return _delete_site(lab, _site(request))
    return await _change_site(request, lab)


def _delete_site(lab: Lab, found: SiteRecord) -> Response:
    if lab.store.each(ServerRecord, parent=found.id):
        raise GraphError(CONFLICT, "Conflict", "The site has servers; remove them first.")
    lab.store.remove(SiteRecord, found.id)
    return Response(status_code=204)


async def _change_site(request: Request, lab: Lab) -> Response:
    found = _site(request)
    body = await read_body(request, SiteBody, found.public())
    configuration_id = _known_configuration(lab, body, found.configuration_id)
    state = found.model_dump(mode="json", by_alias=True) | body.properties()
    changed = SiteRecord.from_wire(state | {"configurationId": configuration_id})
    lab.store.replace(changed)
    return entity(request, changed.public(), f"{_SITES}/$entity")


async def request_upgrade(request: Request) -> Response:
    """Ask the servers of a site to upgrade. The lab shows the moment as `labUpgradeRequestedDateTime`."""
    lab, caller = lab_of(request), caller_of(request)
    permissions.may_write_tunnel(caller)
    found = _site(request)
    if await request.body():
        raise GraphError(BAD_REQUEST, "BadRequest", "The action requestUpgrade takes no body.")
    moment = datetime.now(UTC).isoformat()
    lab.store.replace(found.model_copy(update={"labUpgradeRequestedDateTime": moment}))
    return Response(status_code=204)


async def servers(request: Request) -> Response:
    """List or register the servers of a site."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_register_server(caller)
        found = _site(request)
        created = _registered(await read_body(request, ServerBody), found, caller)
        lab.store.add(created, parent=found.id)
        context = f"{_SITES}('{found.id}')/microsoftTunnelServers/$entity"
        return entity(request, server_document(lab, created), context, CREATED)
    permissions.may_read_tunnel(caller)
    found = _site(request)
    documents = [server_document(lab, item) for item in lab.store.each(ServerRecord, parent=found.id)]
    return collection(request, documents, _SERVER, f"{_SITES}('{found.id}')/microsoftTunnelServers")


def _registered(body: ServerBody, found: SiteRecord, caller: Caller) -> ServerRecord:
    agent = caller.app_id if caller.user is None else ""
    document = {"id": str(uuid.uuid4()), "siteId": found.id, "agentAppId": agent, **body.properties()}
    server = ServerRecord.from_wire({"tunnelServerHealthStatus": "unknown", **document})
    return _checked_in(server, server.lab_health) if agent else server


async def server(request: Request) -> Response:
    """Read, change (by its agent: check in) or remove one server."""
    lab, caller = lab_of(request), caller_of(request)
    context = f"{_SITES}('{request.path_params['id']}')/microsoftTunnelServers/$entity"
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        return one(request, server_document(lab, _server(request)), _SERVER, context)
    permissions.may_write_tunnel(caller)
    found = _server(request)
    permissions.may_change_server(caller, found)
    if request.method == "DELETE":
        lab.store.remove(ServerRecord, found.id)
        return Response(status_code=204)
    changed = _changed_server(
        await read_json(request), await read_body(request, ServerBody, found.public()), found
    )
    if caller.user is None:
        changed = _checked_in(changed.model_copy(update={"agent_app_id": caller.app_id}), changed.lab_health)
    lab.store.replace(changed)
    return entity(request, server_document(lab, changed), context)


def _changed_server(changes: dict[str, Any], body: ServerBody, found: ServerRecord) -> ServerRecord:
    if "deploymentMode" in changes and body.deployment_mode != found.deployment_mode:
        raise GraphError(
            BAD_REQUEST, "BadRequest", "The property 'deploymentMode' is set at registration only."
        )
    return ServerRecord.from_wire({**found.model_dump(mode="json", by_alias=True), **body.properties()})


def _checked_in(server: ServerRecord, health: LabHealth | None) -> ServerRecord:
    """Note a check-in by the server's own application, and what it says of its health."""
    update: dict[str, Any] = {"last_checkin_date_time": datetime.now(UTC)}
    if health is not None:
        update["tunnel_server_health_status"] = health.status
        update["server_image_digest"] = health.server_image_digest
        update["agent_image_digest"] = health.agent_image_digest
    return server.model_copy(update=update)


async def count(request: Request) -> Response:
    """Answer `$count` of a collection as plain text."""
    permissions.may_read_tunnel(caller_of(request))
    lab = lab_of(request)
    if request.path_params.get("id"):
        return PlainTextResponse(str(len(lab.store.each(ServerRecord, parent=_site(request).id))))
    kind = SiteRecord if request.url.path.endswith("Sites/$count") else TunnelConfiguration
    return PlainTextResponse(str(len(lab.store.each(kind))))


_BOTH = ["GET", "POST"]
_EACH = ["GET", "PATCH", "DELETE"]
ROUTES = [
    Route("/microsoftTunnelConfigurations", configurations, methods=_BOTH),
    Route("/microsoftTunnelConfigurations/$count", count),
    Route("/microsoftTunnelConfigurations/{id}", configuration, methods=_EACH),
    Route("/microsoftTunnelSites", sites, methods=_BOTH),
    Route("/microsoftTunnelSites/$count", count),
    Route("/microsoftTunnelSites/{id}", site, methods=_EACH),
    Route("/microsoftTunnelSites/{id}/requestUpgrade", request_upgrade, methods=["POST"]),
    Route("/microsoftTunnelSites/{id}/microsoftTunnelConfiguration", site_configuration, methods=_EACH),
    Route("/microsoftTunnelSites/{id}/microsoftTunnelServers", servers, methods=_BOTH),
    Route("/microsoftTunnelSites/{id}/microsoftTunnelServers/$count", count),
    Route("/microsoftTunnelSites/{id}/microsoftTunnelServers/{server_id}", server, methods=_EACH),
]
