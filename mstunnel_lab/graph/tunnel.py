"""Graph below /deviceManagement: server configurations and sites."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab import tunnel
from mstunnel_lab.entra import permissions
from mstunnel_lab.errors import BAD_REQUEST, GraphError
from mstunnel_lab.graph.http import CREATED, Entities, caller_of, collection, counting, entity, read_json
from mstunnel_lab.graph.lazy_entities import Documents
from mstunnel_lab.graph.odata import entity_type, parse_entity_query, selected
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelSite

SITES: Final = "deviceManagement/microsoftTunnelSites"
_CONFIGURATIONS: Final = Entities(
    "microsoftTunnelConfigurations",
    entity_type("microsoft.graph.microsoftTunnelConfiguration", TunnelConfiguration),
    TunnelConfiguration,
    TunnelConfiguration.document,
    tunnel.create_configuration,
    tunnel.change_configuration,
    tunnel.delete_configuration,
)
_SITE: Final = entity_type(
    "microsoft.graph.microsoftTunnelSite",
    TunnelSite,
    navigation=("microsoftTunnelConfiguration", "microsoftTunnelServers"),
)


def site_in_path(request: Request) -> SiteRecord:
    """Return the site that the path names; raises `GraphError` 404."""
    return lab_of(request).required(SiteRecord, request.path_params["id"])


async def site_configuration(request: Request) -> Response:
    """Read, change or delete the server configuration of a site, which all its other sites share."""
    caller_of(request)
    return await _CONFIGURATIONS.answer(request, site_in_path(request).configuration_id)


def _site_document(lab: Lab, site: SiteRecord, expand: frozenset[str]) -> JsonObject:
    document = site.public()
    if "microsoftTunnelConfiguration" in expand:
        found = lab.store.get(TunnelConfiguration, site.configuration_id)
        document["microsoftTunnelConfiguration"] = None if found is None else found.document()
    if "microsoftTunnelServers" in expand:
        document |= _servers_document(lab, site)
    return document


def _servers_document(lab: Lab, site: SiteRecord) -> JsonObject:
    """Return the expanded servers of a site: one page, and where the next one is (OData JSON 4.5.5)."""
    size, name = lab.tenant.page_size, "microsoftTunnelServers"
    servers = lab.store.some(ServerRecord, 0, size, site.id)
    document: JsonObject = {name: [tunnel.server_document(lab, server) for server in servers]}
    if lab.store.count(ServerRecord, site.id) > size:
        address = f"{lab.urls.graph}/beta/{SITES}/{site.id}/{name}"
        document[f"{name}@odata.nextLink"] = f"{address}?$skiptoken={size}"
    return document


def _expanded_site(lab: Lab, document: JsonObject, expand: frozenset[str]) -> JsonObject:
    found = lab.store.get(SiteRecord, str(document["id"])) if expand else None
    return _site_document(lab, found, expand) if found else document


async def sites(request: Request) -> Response:
    """List or create sites."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_write_tunnel(caller)
        created = tunnel.create_site(lab, await read_json(request))
        return entity(request, created.public(), f"{SITES}/$entity", CREATED)
    permissions.may_read_tunnel(caller)
    expand = _expanded(request)
    documents = Documents(lab.store, SiteRecord, SiteRecord.public)
    return collection(request, documents, _SITE, SITES, lambda item: _expanded_site(lab, item, expand))


def _expanded(request: Request) -> frozenset[str]:
    """Return what `$expand` names; the other options are judged where they are used."""
    options = {name: value for name, value in request.query_params.items() if name == "$expand"}
    return parse_entity_query(options, _SITE).expand


async def site(request: Request) -> Response:
    """Read, change or delete one site."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "GET":
        permissions.may_read_tunnel(caller)
        document = _site_document(lab, site_in_path(request), _expanded(request))
        query = parse_entity_query(request.query_params, _SITE)
        return entity(request, selected(document, query), f"{SITES}/$entity")
    permissions.may_write_tunnel(caller)
    found = site_in_path(request)
    if request.method == "DELETE":
        tunnel.delete_site(lab, found)
        return Response(status_code=204)
    changed = tunnel.change_site(lab, found, await read_json(request))
    return entity(request, changed.public(), f"{SITES}/$entity")


async def request_upgrade(request: Request) -> Response:
    """Ask the servers of a site to upgrade."""
    lab, caller = lab_of(request), caller_of(request)
    permissions.may_write_tunnel(caller)
    found = site_in_path(request)
    if await request.body():
        raise GraphError(BAD_REQUEST, "BadRequest", "The action requestUpgrade takes no body.")
    tunnel.ask_for_upgrade(lab, found)
    return Response(status_code=204)


_EACH = ["GET", "PATCH", "DELETE"]
ROUTES = [
    Route("/microsoftTunnelConfigurations/$count", counting(TunnelConfiguration)),
    *_CONFIGURATIONS.routes,
    Route("/microsoftTunnelSites", sites, methods=["GET", "POST"]),
    Route("/microsoftTunnelSites/$count", counting(SiteRecord)),
    Route("/microsoftTunnelSites/{id}", site, methods=_EACH),
    Route("/microsoftTunnelSites/{id}/requestUpgrade", request_upgrade, methods=["POST"]),
    Route("/microsoftTunnelSites/{id}/microsoftTunnelConfiguration", site_configuration, methods=_EACH),
]
