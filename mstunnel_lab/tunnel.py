"""Operations on the tunnel entities of a tenant, for both Graph and the admin center.

Functions that take a `document` judge it like Graph and raise `GraphError`.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from mstunnel_lab import trends
from mstunnel_lab.entra.permissions import Caller
from mstunnel_lab.errors import BAD_REQUEST, CONFLICT, GraphError, not_found
from mstunnel_lab.graph.bodies import judge, unknown_property
from mstunnel_lab.graph.bodies_tunnel import ConfigurationBody, ServerBody, SiteBody
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import HealthStatus, LogCollection, LogCollectionStatus, TunnelConfiguration

_LOGS_KEPT: Final = timedelta(days=14)


def new_configuration(body: ConfigurationBody, identifier: str) -> TunnelConfiguration:
    """Return the state of a configuration after a body was written."""
    now = datetime.now(UTC).isoformat()
    document = {"id": identifier, "lastUpdateDateTime": now, **body.document()}
    return TunnelConfiguration.from_wire(document)


def new_site(body: SiteBody, identifier: str, configuration_id: str) -> SiteRecord:
    """Return the state of a site after a body was written."""
    document = {"id": identifier, "configurationId": configuration_id, **body.document()}
    return SiteRecord.from_wire({"upgradeAvailable": False, **document})


def server_document(lab: Lab, server: ServerRecord) -> JsonObject:
    """Return a server as Graph shows it: offline when it has not checked in for long."""
    document = server.model_copy(update={"tunnel_server_health_status": status_of(lab, server)}).public()
    if not lab.tenant.extensions:
        del document["labHealth"]
    return document


def status_of(lab: Lab, server: ServerRecord) -> HealthStatus:
    """Return the health of a server as of now."""
    oldest = datetime.now(UTC) - timedelta(seconds=lab.tenant.offline_after)
    seen = server.last_checkin_date_time
    if seen is not None and seen < oldest:
        return HealthStatus.OFFLINE
    return server.tunnel_server_health_status or HealthStatus.UNKNOWN


def server_called(lab: Lab, site: SiteRecord, identifier: str) -> ServerRecord:
    """Return the server with this id of a site; raises `GraphError` 404."""
    found = lab.store.get(ServerRecord, identifier)
    if found is None or found.site_id != site.id:
        raise not_found("microsoftTunnelServer", identifier)
    return found


def create_configuration(lab: Lab, document: object) -> TunnelConfiguration:
    """Make a server configuration."""
    created = new_configuration(judge(ConfigurationBody, document), str(uuid.uuid4()))
    lab.store.add(created)
    return created


def change_configuration(lab: Lab, found: TunnelConfiguration, document: object) -> TunnelConfiguration:
    """Change a server configuration."""
    body = judge(ConfigurationBody, document, found.document())
    changed = new_configuration(body, found.id)
    lab.store.replace(changed)
    return changed


def delete_configuration(lab: Lab, found: TunnelConfiguration) -> None:
    """Delete a server configuration that no site uses; raises `GraphError` 409."""
    users = [site.display_name for site in lab.store.each(SiteRecord) if site.configuration_id == found.id]
    if users:
        message = f"The server configuration is used by the site '{users[0]}'."
        raise GraphError(CONFLICT, "Conflict", message)
    lab.store.remove(TunnelConfiguration, found.id)


def create_site(lab: Lab, document: object) -> SiteRecord:
    """Make a site."""
    body = judge(SiteBody, document)
    created = new_site(body, str(uuid.uuid4()), _known_configuration(lab, body, ""))
    lab.store.add(created)
    return created


def change_site(lab: Lab, found: SiteRecord, document: object) -> SiteRecord:
    """Change a site."""
    body = judge(SiteBody, document, found.public())
    configuration_id = _known_configuration(lab, body, found.configuration_id)
    state = found.document() | body.document()
    changed = SiteRecord.from_wire(state | {"configurationId": configuration_id})
    lab.store.replace(changed)
    return changed


def _known_configuration(lab: Lab, body: SiteBody, current: str) -> str:
    wanted = body.configuration_id or current
    if not wanted or lab.store.get(TunnelConfiguration, wanted) is None:
        raise GraphError(
            BAD_REQUEST, "BadRequest", f"The site needs a server configuration that exists, not '{wanted}'."
        )
    return wanted


def delete_site(lab: Lab, found: SiteRecord) -> None:
    """Delete a site without servers; raises `GraphError` 409."""
    if lab.store.count(ServerRecord, parent=found.id):
        raise GraphError(CONFLICT, "Conflict", "The site has servers; remove them first.")
    lab.store.remove(SiteRecord, found.id)


def ask_for_upgrade(lab: Lab, found: SiteRecord) -> None:
    """Ask the servers of a site to upgrade; with extensions `labUpgradeRequestedDateTime` shows when."""
    if not lab.tenant.extensions:
        return
    moment = datetime.now(UTC).isoformat()
    lab.store.replace(found.model_copy(update={"labUpgradeRequestedDateTime": moment}))


def register_server(lab: Lab, site: SiteRecord, document: object, caller: Caller) -> ServerRecord:
    """Make the record of a server. The application that first reports or changes it is that of its agent."""
    body = _server_body(lab, document)
    registrar = caller.app_id if caller.user is None else ""
    reports = bool(registrar) and body.lab_health is not None
    applications = {"registrarAppId": registrar, "agentAppId": registrar if reports else ""}
    facts = {"id": str(uuid.uuid4()), "siteId": site.id, **applications, **body.document()}
    created = ServerRecord.from_wire({"tunnelServerHealthStatus": "unknown", **facts})
    if reports:
        created = _checked_in(lab, created, reported=True)
    lab.store.add(created, parent=site.id)
    return created


def change_server(lab: Lab, found: ServerRecord, document: object, caller: Caller) -> ServerRecord:
    """Change the record of a server; when its own application does so, it checks in."""
    body = _server_body(lab, document, found.public())
    given = document if isinstance(document, dict) else {}
    if "deploymentMode" in given and body.deployment_mode != found.deployment_mode:
        raise GraphError(
            BAD_REQUEST, "BadRequest", "The property 'deploymentMode' is set at registration only."
        )
    changed = ServerRecord.from_wire(found.document() | body.document())
    if caller.user is not None:
        lab.store.replace(changed)
        return changed
    with lab.store.passing():
        changed = changed.model_copy(update={"agent_app_id": caller.app_id})
        changed = _checked_in(lab, changed, reported="labHealth" in given)
        lab.store.replace(changed)
    return changed


def _server_body(lab: Lab, document: object, stored: JsonObject | None = None) -> ServerBody:
    """Read the body of a server; without extensions it has no health."""
    if not lab.tenant.extensions and isinstance(document, dict) and "labHealth" in document:
        raise GraphError(BAD_REQUEST, ServerBody.code, unknown_property(ServerBody, "labHealth"))
    return judge(ServerBody, document, stored)


def _checked_in(lab: Lab, server: ServerRecord, *, reported: bool) -> ServerRecord:
    """Note a check-in by the server's own application, and what it says of its health."""
    now = datetime.now(UTC)
    update: dict[str, object] = {"last_checkin_date_time": now}
    health = server.lab_health
    if health is not None:
        update["tunnel_server_health_status"] = health.status
        update["server_image_digest"] = health.server_image_digest
        update["agent_image_digest"] = health.agent_image_digest
    if health is not None and reported:
        trends.add(lab.store, server.id, health.metrics, now.timestamp(), lab.tenant.trend_block)
    return server.model_copy(update=update)


def delete_server(lab: Lab, found: ServerRecord) -> None:
    """Remove the record of a server, its trends and its collected logs."""
    with lab.store.transaction():
        for item in lab.store.each(LogCollection, parent=found.id):
            lab.store.remove(LogCollection, item.id)
        trends.forget(lab.store, found.id)
        lab.store.remove(ServerRecord, found.id)


def ask_for_logs(lab: Lab, server: ServerRecord, start: datetime, end: datetime) -> LogCollection:
    """Ask a server for its logs of a time."""
    now = datetime.now(UTC)
    made = LogCollection(
        id=str(uuid.uuid4()),
        server_id=server.id,
        status=LogCollectionStatus.PENDING,
        request_date_time=now,
        start_date_time=start,
        end_date_time=end,
        expiry_date_time=now + _LOGS_KEPT,
        size_in_bytes=0,
    )
    lab.store.add(made, parent=server.id)
    return made
