"""HTTP conventions of Graph: who calls, JSON bodies, answers and the error envelope."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mstunnel_lab.entra.permissions import Caller, may_read_tunnel, may_write_tunnel
from mstunnel_lab.errors import BAD_REQUEST, NOT_FOUND, UNAUTHORIZED, GraphError
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.lazy_entities import Documents
from mstunnel_lab.graph.odata import EntityType, page, parse_entity_query, parse_query, selected
from mstunnel_lab.records import UserRecord
from mstunnel_lab.state import Lab, lab_of
from mstunnel_lab.store import E, Entity
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import ServicePrincipal

CREATED: Final = 201
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


def one(request: Request, document: JsonObject, kind: EntityType, context: str) -> JSONResponse:
    """Answer a GET for one entity with its query options; raises `GraphError`."""
    query = parse_entity_query(request.query_params, kind)
    return entity(request, selected(document, query), context)


def collection(
    request: Request,
    documents: Sequence[JsonObject],
    kind: EntityType,
    context: str,
    complete: Callable[[JsonObject], JsonObject] = dict,
) -> JSONResponse:
    """Answer a GET for a collection with its query options; `complete` expands one document.

    Raises `GraphError`.
    """
    lab, options = lab_of(request), dict(request.query_params)
    query = parse_query(options, kind)
    address = f"{lab.urls.graph}{request.url.path}"
    size = lab.tenant.page_size
    return entity(request, page(documents, query, address, options, size, complete=complete), context)


@dataclass(frozen=True)
class Entities(Generic[E]):
    """The entities of one kind below `root`, and what Graph answers about them.

    `document` shows one. `create` and `change` judge what was sent and store it, `remove` takes one away; all
    three raise `GraphError`.
    """

    segment: str
    entity_type: EntityType
    kind: type[E]
    document: Callable[[E], JsonObject]
    create: Callable[[Lab, object], E]
    change: Callable[[Lab, E, object], E]
    remove: Callable[[Lab, E], None]
    root: str = "deviceManagement"

    @property
    def context(self) -> str:
        """The path of the collection, as `@odata.context` has it."""
        return f"{self.root}/{self.segment}"

    @property
    def routes(self) -> tuple[Route, Route]:
        """The routes of the collection and of one entity."""
        return (
            Route(f"/{self.segment}", self.answer_collection, methods=["GET", "POST"]),
            Route(f"/{self.segment}/{{id}}", self.answer_one, methods=["GET", "PATCH", "DELETE"]),
        )

    async def answer_collection(self, request: Request) -> Response:
        """List or create entities."""
        lab, caller = lab_of(request), caller_of(request)
        if request.method == "GET":
            may_read_tunnel(caller)
            documents = Documents(lab.store, self.kind, self.document)
            return collection(request, documents, self.entity_type, self.context)
        may_write_tunnel(caller)
        created = self.create(lab, await read_json(request))
        return entity(request, self.document(created), f"{self.context}/$entity", CREATED)

    async def answer_one(self, request: Request) -> Response:
        """Read, change or delete the entity that the path names."""
        return await self.answer(request, request.path_params["id"])

    async def answer(self, request: Request, identifier: str) -> Response:
        """Read, change or delete one entity."""
        lab, caller, context = lab_of(request), caller_of(request), f"{self.context}/$entity"
        if request.method == "GET":
            may_read_tunnel(caller)
            return one(request, self.document(lab.required(self.kind, identifier)), self.entity_type, context)
        may_write_tunnel(caller)
        found = lab.required(self.kind, identifier)
        if request.method == "DELETE":
            self.remove(lab, found)
            return Response(status_code=204)
        changed = self.change(lab, found, await read_json(request))
        return entity(request, self.document(changed), context)


def counting(kind: type[Entity]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers `$count` of the tunnel entities of a kind, as plain text."""

    async def count(request: Request) -> Response:
        may_read_tunnel(caller_of(request))
        return PlainTextResponse(str(lab_of(request).store.count(kind)))

    return count


def values(request: Request, found: Sequence[JsonObject], context: str) -> JSONResponse:
    """Answer the list that an action returns."""
    return entity(request, {"value": [*found]}, context)


def text_value(request: Request, text: str) -> JSONResponse:
    """Answer the text that an action returns."""
    return entity(request, {"value": text}, "Edm.String")


def moment(at: float) -> str:
    """Return a Unix time as Graph writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


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
