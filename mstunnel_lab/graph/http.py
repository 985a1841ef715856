"""HTTP conventions of Graph: caller, JSON bodies, query options (OData), responses and errors."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mstunnel_lab.entra.permissions import AccessRule, Caller
from mstunnel_lab.errors import NOT_FOUND, UNAUTHORIZED, GraphError, bad_request
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.records import CustomRoleRecord, UserRecord
from mstunnel_lab.state import Lab, lab_of
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import ServicePrincipal, WireModel, wire_name

CREATED: Final = 201
NO_CONTENT: Final = 204
B = TypeVar("B", bound=Body)
Item = TypeVar("Item")
Show: TypeAlias = Callable[[Item, frozenset[str]], JsonObject]
"""Returns the document of an entity with the navigation properties that a query names."""
_MAX_TOP: Final = 999
_FILTER: Final = re.compile(r"^\s*(?P<name>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'\s*$")
_IN: Final = re.compile(r"^\s*(?P<name>\w+)\s+in\s+\(\s*'(?P<values>[^']+'(?:\s*,\s*'[^']+')*)\s*\)\s*$")
_MOST_IN: Final = 15
_ORDER: Final = re.compile(r"^\s*(?P<name>\w+)(?:\s+(?P<direction>asc|desc))?\s*$")
_ENTITY_OPTIONS: Final = frozenset({"$select", "$expand"})
_COLLECTION_OPTIONS: Final = frozenset({"$filter", "$top", "$skip", "$skiptoken", "$orderby", "$count"})


def caller_of(request: Request) -> Caller:
    """Return the caller; raises `GraphError` 401 if the access token is missing or invalid."""
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
    roles = (lab.store.get(CustomRoleRecord, name) for name in user.custom_roles)
    rights = frozenset(right for role in roles if role for right in role.microsoft_tunnel_gateway)
    return Caller(claims.appid, user.id, frozenset(claims.scp.split()), user, rights)


def admitted(request: Request, requirement: AccessRule) -> tuple[Lab, Caller]:
    """Return tenant and caller; raises `GraphError` 401, or 403 without the required permission."""
    caller = caller_of(request)
    requirement(caller)
    return lab_of(request), caller


async def read_json(request: Request) -> object:
    """Return the JSON body; raises `GraphError` 400 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise bad_request("The request body must have the type application/json.")
    body = await request.body()
    try:
        return json_value(body)
    except ValueError as error:
        raise bad_request("Unable to read JSON request payload.") from error


async def read_body(request: Request, kind: type[B]) -> B:
    """Return the body, validated by its model."""
    return judge(kind, await read_json(request))


class EntityType:
    """The properties of a wire model, and those that lead to other entities, for query options.

    `name` is without its namespace. Collections are filtered by displayName, id and those in `filterable`.
    """

    def __init__(
        self,
        name: str,
        model: type[WireModel],
        navigation: Sequence[str] = (),
        filterable: Sequence[str] = (),
    ) -> None:
        self.name = f"microsoft.graph.{name}"
        self.navigation = frozenset(navigation)
        self.properties = frozenset(map(wire_name, model.model_fields)) - self.navigation
        self.filterable = {"displayName", "id", *filterable}


@dataclass(frozen=True)
class Query:
    """Validated query options. `skip` counts entities over all pages."""

    select: tuple[str, ...] = ()
    expand: frozenset[str] = frozenset()
    filter: tuple[str, frozenset[str]] | None = None
    order: tuple[str, bool] | None = None
    top: int | None = None
    skip: int = 0
    count: bool = False


def parse_query(options: Mapping[str, str], kind: EntityType, *, is_collection: bool = True) -> Query:
    """Parse the options of a request for a collection, or for one entity; raises `GraphError` 400."""
    known = _ENTITY_OPTIONS | (_COLLECTION_OPTIONS if is_collection else frozenset())
    unknown = sorted(name for name in options if name.startswith("$") and name not in known)
    if unknown:
        raise bad_request(f"The query parameter '{unknown[0]}' is not supported.")
    select = _names(options.get("$select", ""), kind.properties, kind)
    expand = _names(options.get("$expand", ""), kind.navigation, kind)
    wanted = order = None
    if "$filter" in options:
        wanted = _filter(options["$filter"], kind)
    if "$orderby" in options:
        match = _ORDER.match(options["$orderby"])
        if match is None or match["name"] not in kind.properties:
            raise bad_request(f"Invalid orderby clause for type '{kind.name}'.")
        order = match["name"], match["direction"] == "desc"
    return Query(
        select=select,
        expand=frozenset(expand),
        filter=wanted,
        order=order,
        top=_number(options, "$top", 1) if "$top" in options else None,
        skip=_number(options, "$skiptoken" if "$skiptoken" in options else "$skip", 0),
        count=options.get("$count") == "true",
    )


def _filter(text: str, kind: EntityType) -> tuple[str, frozenset[str]]:
    """Return the property and the values that a `$filter` names; raises `GraphError` 400."""
    if match := _FILTER.match(text):
        values = [match["value"].replace("''", "'")]
    elif match := _IN.match(text):
        values = re.split(r"'\s*,\s*'", match["values"].removesuffix("'"))
        if len(values) > _MOST_IN:
            raise bad_request(f"Too many child clauses specified in search filter expression: {len(values)}.")
    else:
        raise bad_request("Invalid filter clause: only PROPERTY eq 'VALUE' and in (…) are supported.")
    if match["name"] not in kind.filterable:
        named = f"'{match['name']}' of type '{kind.name}'"
        raise bad_request(f"Invalid filter clause: {named} cannot be filtered by.")
    return match["name"], frozenset(values)


def _names(text: str, known: frozenset[str], kind: EntityType) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise bad_request(
                "Parsing OData Select and Expand failed: "
                f"Could not find a property named '{name}' on type '{kind.name}'."
            )
    return names


def _number(options: Mapping[str, str], name: str, least: int) -> int:
    text = options.get(name, str(least))
    number, most = whole_number(text, 10), _MAX_TOP if name == "$top" else 10**9
    if number is None or not least <= number <= most:
        raise bad_request(f"Invalid value '{text}' for query parameter '{name}'.")
    return number


def page(
    found: Sequence[Item],
    show: Callable[[Item], JsonObject],
    query: Query,
    address: str,
    options: Mapping[str, str],
    *,
    size: int,
) -> JsonObject:
    """Return one page of a collection's matches, as `show` renders them, with a link to the next page.

    `address` is the URL without query, `size` the server's page size. `$top` is the client's page size, as in
    Graph. Without filter and order, only the items of the page are read.
    """
    matching = found
    if query.filter:
        name, values = query.filter
        lowered = {value.lower() for value in values}
        matching = [item for item in matching if str(show(item).get(name) or "").lower() in lowered]
    if query.order:
        order, descending = query.order
        matching = sorted(
            matching, key=lambda item: str(show(item).get(order) or "").lower(), reverse=descending
        )
    end = query.skip + min(query.top or size, size)
    answer: JsonObject = {"@odata.count": len(matching)} if query.count else {}
    if end < len(matching):
        following = {name: value for name, value in options.items() if name != "$skip"}
        answer["@odata.nextLink"] = f"{address}?{urlencode({**following, '$skiptoken': str(end)}, safe='$')}"
    answer["value"] = [_selected(show(item), query) for item in matching[query.skip : end]]
    return answer


def _selected(document: JsonObject, query: Query) -> JsonObject:
    """Return the properties that `$select` names, and expanded ones, with their annotations."""
    if not query.select:
        return document
    wanted = {*query.select, *query.expand}
    return {name: value for name, value in document.items() if name.partition("@")[0] in wanted}


def entity(request: Request, document: JsonObject, context: str, status: int = 200) -> JSONResponse:
    """Return the response for one entity; `context` is the part of `@odata.context` after the hash."""
    address = f"{lab_of(request).urls.graph}/beta/$metadata#{context}"
    return JSONResponse({"@odata.context": address, **document}, status)


def one(request: Request, item: Item, show: Show[Item], kind: EntityType, context: str) -> JSONResponse:
    """Return the response to a GET for one entity with its query options; raises `GraphError`."""
    query = parse_query(request.query_params, kind, is_collection=False)
    return entity(request, _selected(show(item, query.expand), query), context)


def collection(
    request: Request, found: Sequence[Item], show: Show[Item], kind: EntityType, context: str
) -> JSONResponse:
    """Return the response to a GET for a collection with its query options; raises `GraphError`."""
    lab, options = lab_of(request), dict(request.query_params)
    query = parse_query(options, kind)
    address, size = f"{lab.urls.graph}{request.url.path}", lab.tenant.page_size
    answer = page(found, lambda item: show(item, query.expand), query, address, options, size=size)
    return entity(request, answer, context)


def document(found: WireModel, _expand: frozenset[str]) -> JsonObject:
    """Return the document of an entity without navigation properties."""
    return found.document()


def graph_error(request: Request, error: Exception) -> Response:
    """Render a `GraphError` in Graph's error format."""
    if not isinstance(error, GraphError):
        raise error
    made = _envelope(request, error.status, error.code, error.message, error.inner_code)
    made.headers.update(error.headers)
    return made


def http_error(request: Request, error: Exception) -> Response:
    """Render Starlette's own errors (404, 405); below Graph's paths in Graph's error format."""
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
    # JSON may contain half a surrogate pair, UTF-8 cannot.
    text = message.encode("utf-8", "replace").decode()
    body = {"error": {"code": code, "message": text, "innerError": inner}}
    return JSONResponse(body, status, headers)
