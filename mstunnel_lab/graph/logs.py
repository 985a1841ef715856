"""Graph below /deviceManagement: collected logs of servers, and the addresses they are fetched from.

That a server uploads its logs with PUT on the record's `labContent` is an extension of the lab: how real
servers do it is not public.
"""

import time
import uuid
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import permissions
from mstunnel_lab.entra.purpose_keys import Purpose
from mstunnel_lab.errors import CONFLICT, NOT_FOUND, GraphError, not_found
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_tunnel import LogCollectionBody
from mstunnel_lab.graph.http import Entities, caller_of, counting, text_value
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.pki import write_private
from mstunnel_lab.records import ServerRecord
from mstunnel_lab.state import Lab, lab_of, labs_of
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.tenant.wire import LogCollection, LogCollectionStatus

_ADDRESS_LIFE: Final = 600


def _create(lab: Lab, document: object) -> LogCollection:
    body = judge(LogCollectionBody, document)
    created = LogCollection.from_wire({"id": str(uuid.uuid4()), **body.document()})
    if lab.store.get(ServerRecord, created.server_id) is None:
        raise not_found("microsoftTunnelServer", created.server_id)
    lab.store.add(created, parent=created.server_id)
    return created


def _change(lab: Lab, found: LogCollection, document: object) -> LogCollection:
    body = judge(LogCollectionBody, document, found.document())
    changed = LogCollection.from_wire(found.document() | body.document())
    lab.store.replace(changed)
    return changed


def _remove(lab: Lab, found: LogCollection) -> None:
    (lab.uploads / found.id).unlink(missing_ok=True)
    lab.store.remove(LogCollection, found.id)


_LOGS: Final = Entities(
    "microsoftTunnelServerLogCollectionResponses",
    entity_type("microsoft.graph.microsoftTunnelServerLogCollectionResponse", LogCollection),
    LogCollection,
    LogCollection.document,
    _create,
    _change,
    _remove,
)


async def upload(request: Request) -> Response:
    """Take the logs of a server, a file of any kind; this completes the collection."""
    caller = caller_of(request)
    permissions.may_write_tunnel(caller)
    lab, found = lab_of(request), lab_of(request).required(LogCollection, request.path_params["id"])
    if not lab.tenant.extensions:
        raise not_found("microsoftTunnelServerLogCollectionResponse", f"{found.id}/labContent")
    if (server := lab.store.get(ServerRecord, found.server_id)) is not None:
        permissions.may_change_server(caller, server)
    content = await request.body()
    lab.uploads.mkdir(mode=0o700, exist_ok=True)
    write_private(lab.uploads / found.id, content)
    update = {"status": LogCollectionStatus.COMPLETED, "size_in_bytes": len(content)}
    lab.store.replace(found.model_copy(update=update))
    return Response(status_code=204)


async def download_address(request: Request) -> Response:
    """Make an address that the logs can be fetched from for ten minutes, without a token."""
    permissions.may_read_tunnel(caller_of(request))
    found = lab_of(request).required(LogCollection, request.path_params["id"])
    if found.status is not LogCollectionStatus.COMPLETED:
        raise GraphError(CONFLICT, "Conflict", "The logs have not been collected.")
    return text_value(request, signed_address(request, found.id))


def signed_address(request: Request, identifier: str) -> str:
    """Return the address of uploaded logs, with its end and its signature."""
    lab, until = lab_of(request), int(time.time()) + _ADDRESS_LIFE
    signature = labs_of(request).signing.sign(Purpose.LOGS, lab.tenant.id, identifier, str(until))
    return f"{lab.urls.graph}/lab/logs/{lab.tenant.id}/{identifier}?until={until}&signature={signature}"


async def download(request: Request) -> Response:
    """Serve uploaded logs to any client that has their address."""
    tenant, identifier = request.path_params["tenant"], request.path_params["id"]
    until, given = request.query_params.get("until", ""), request.query_params.get("signature", "")
    signed = labs_of(request).signing.verify(Purpose.LOGS, given, tenant, identifier, until)
    path = lab_of(request).uploads / identifier
    if not signed or (whole_number(until, 12) or 0) < time.time() or not path.is_file():
        raise GraphError(NOT_FOUND, "ResourceNotFound", "There are no logs at this address.")
    name = f'attachment; filename="{identifier}.tar.gz"'
    return Response(
        path.read_bytes(), media_type="application/octet-stream", headers={"Content-Disposition": name}
    )


_ALL: Final = f"/{_LOGS.segment}"
ROUTES = [
    Route(f"{_ALL}/$count", counting(LogCollection)),
    *_LOGS.routes,
    Route(f"{_ALL}/{{id}}/labContent", upload, methods=["PUT"]),
    Route(f"{_ALL}/{{id}}/createDownloadUrl", download_address, methods=["POST"]),
    Route(f"{_ALL}/{{id}}/generateDownloadUrl", download_address, methods=["POST"]),
]
DOWNLOADS = [Route("/lab/logs/{tenant}/{id}", download)]
