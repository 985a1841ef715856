"""HTTP conventions of Graph: who calls, JSON bodies, answers and the error envelope."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mstunnel_lab.entra.permissions import Caller
from mstunnel_lab.errors import BAD_REQUEST, NOT_FOUND, UNAUTHORIZED, GraphError
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.odata import EntityType, Item, page, parse_entity_query, parse_query, selected
from mstunnel_lab.records import UserRecord
from mstunnel_lab.state import lab_of
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import ServicePrincipal

CREATED: Final = 201
Expanded: TypeAlias = Callable[[JsonObject, frozenset[str]], JsonObject]
"""Returns a document with the navigation properties that a query names."""
B = TypeVar("B", bound=Body)


def caller_of(request: Request) -> Caller:
    """Return who calls; raises `GraphError` 401 when the access token is missing or not good."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise GraphError(UNAUTHORIZED, "InvalidAuthenticationToken", "Access token is empty.")
    lab = lab_of(request)
    claims = lab.tokens.check_graph_token(token)
    if claims.idtyp == "app":
        if lab.store.get(ServicePrincipal, claims.oid) is None:
            message = "The identity of the calling application could not be established."
            raise GraphError(UNAUTHORIZED, "Authorization_IdentityNotFound", message)
        return Caller(claims.appid, claims.oid, frozenset(claims.roles))
    user = lab.store.get(UserRecord, claims.oid)
    if user is None:
        raise GraphError(UNAUTHORIZED, "InvalidAuthenticationToken", "The user account does not exist.")
    return Caller(claims.appid, user.id, frozenset(claims.scp.split()), user)


async def read_json(request: Request) -> object:
    """Return the JSON body; raises `GraphError` 400 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise GraphError(BAD_REQUEST, "BadRequest", "The request body must have the type application/json.")
    body = await request.body()
    try:
        return json_value(body)
    except ValueError as error:
        raise GraphError(BAD_REQUEST, "BadRequest", "Unable to read JSON request payload.") from error


async def read_body(request: Request, kind: type[B]) -> B:
    """Return the body, judged by its model."""
    return judge(kind, await read_json(request))


def entity(request: Request, document: JsonObject, context: str, status: int = 200) -> JSONResponse:
    """Answer one entity; `context` is the part of `@odata.context` after the hash."""
    address = f"{lab_of(request).urls.graph}/beta/$metadata#{context}"
    return JSONResponse({"@odata.context": address, **document}, status)


def one(
    request: Request, document: JsonObject, kind: EntityType, context: str, expanded: Expanded | None = None
) -> JSONResponse:
    """Answer a GET for one entity with its query options; raises `GraphError`."""
    query = parse_entity_query(request.query_params, kind)
    shown = expanded(document, query.expand) if expanded else document
    return entity(request, selected(shown, query), context)


def collection(
    request: Request,
    found: Sequence[Item],
    show: Callable[[Item], JsonObject],
    kind: EntityType,
    context: str,
    *,
    expanded: Expanded | None = None,
) -> JSONResponse:
    """Answer a GET for a collection with its query options; raises `GraphError`."""
    lab, options = lab_of(request), dict(request.query_params)
    query = parse_query(options, kind)
    address = f"{lab.urls.graph}{request.url.path}"

    def shown(item: Item) -> JsonObject:
        document = show(item)
        return expanded(document, query.expand) if expanded and query.expand else document

    answer = page(found, shown, query, address, options, size=lab.tenant.page_size)
    return entity(request, answer, context)


def graph_error(request: Request, error: Exception) -> Response:
    """Render a `GraphError` in Graph's envelope."""
    if not isinstance(error, GraphError):
        raise error
    return _envelope(request, error.status, error.code, error.message, error.inner_code)


def http_error(request: Request, error: Exception) -> Response:
    """Render Starlette's own refusals (404, 405), in Graph's envelope below Graph's paths."""
    if not isinstance(error, HTTPException):
        raise error
    if not request.url.path.startswith(("/beta", "/v1.0")):
        return Response(error.detail, error.status_code, error.headers)
    if error.status_code == NOT_FOUND:
        segment = request.url.path.rsplit("/", 1)[-1]
        return _envelope(request, 400, "BadRequest", f"Resource not found for the segment '{segment}'.")
    return _envelope(request, error.status_code, "Request_BadRequest", error.detail)


def _envelope(request: Request, status: int, code: str, message: str, inner_code: str = "") -> JSONResponse:
    request_id = str(uuid.uuid4())
    inner = {
        **({"code": inner_code} if inner_code else {}),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": request.headers.get("client-request-id", request_id),
    }
    headers = {"request-id": request_id}
    if status == UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'Bearer authorization_uri="{lab_of(request).urls.authority}"'
    # JSON may carry half a surrogate pair, which UTF-8 cannot.
    text = message.encode("utf-8", "replace").decode()
    body = {"error": {"code": code, "message": text, "innerError": inner}}
    return JSONResponse(body, status, headers)
