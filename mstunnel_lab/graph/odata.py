"""OData query options on collections and single entities: the part of them that the lab's paths take."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

from mstunnel_lab.errors import BAD_REQUEST, GraphError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import WireModel, wire_name

Item = TypeVar("Item")
_MAX_TOP: Final = 999
_FILTER: Final = re.compile(r"^\s*(?P<name>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'\s*$")
_ORDER: Final = re.compile(r"^\s*(?P<name>\w+)(?:\s+(?P<direction>asc|desc))?\s*$")
_ENTITY_OPTIONS: Final = frozenset({"$select", "$expand"})
_COLLECTION_OPTIONS: Final = _ENTITY_OPTIONS | {
    "$filter",
    "$top",
    "$skip",
    "$skiptoken",
    "$orderby",
    "$count",
}


@dataclass(frozen=True)
class EntityType:
    """What options may name: the properties of a model, navigation properties, filterable properties."""

    name: str
    properties: frozenset[str]
    navigation: frozenset[str] = frozenset()
    filterable: frozenset[str] = frozenset({"displayName", "id"})


def entity_type(
    name: str, model: type[WireModel], navigation: Sequence[str] = (), filterable: Sequence[str] = ()
) -> EntityType:
    """Return the type of a wire model; `filterable` adds to displayName and id."""
    links = frozenset(navigation)
    properties = frozenset(wire_name(field) for field in model.model_fields) - links
    return EntityType(name, properties, links, frozenset({"displayName", "id", *filterable}))


@dataclass(frozen=True)
class Query:
    """Options, read and found right. `skip` counts entities over all pages."""

    select: tuple[str, ...] = ()
    expand: frozenset[str] = frozenset()
    filter: tuple[str, str] | None = None
    order: tuple[str, bool] | None = None
    top: int | None = None
    skip: int = 0
    count: bool = False


def parse_entity_query(options: Mapping[str, str], kind: EntityType) -> Query:
    """Read the options of a request for one entity; raises `GraphError` 400."""
    _refuse_unknown(options, _ENTITY_OPTIONS)
    return Query(
        select=_names(options.get("$select", ""), kind.properties, kind),
        expand=frozenset(_names(options.get("$expand", ""), kind.navigation, kind)),
    )


def parse_query(options: Mapping[str, str], kind: EntityType) -> Query:
    """Read the options of a request for a collection; raises `GraphError` 400."""
    _refuse_unknown(options, _COLLECTION_OPTIONS)
    return Query(
        select=_names(options.get("$select", ""), kind.properties, kind),
        expand=frozenset(_names(options.get("$expand", ""), kind.navigation, kind)),
        filter=_filter(options, kind),
        order=_order(options, kind),
        top=_number(options, "$top", 1) if "$top" in options else None,
        skip=_number(options, "$skiptoken" if "$skiptoken" in options else "$skip", 0),
        count=options.get("$count") == "true",
    )


def page(
    found: Sequence[Item],
    show: Callable[[Item], JsonObject],
    query: Query,
    address: str,
    options: Mapping[str, str],
    *,
    size: int,
) -> JsonObject:
    """Return the answer for a collection: what matches, one page as `show` renders it, where the next one is.

    `address` is the URL without query, `size` the server's page size. `$top` is the client's page size, as
    in Graph. Without filter and order, no more than the page is read.
    """
    matching = found
    if query.filter:
        name, value = query.filter
        matching = [item for item in matching if str(show(item).get(name) or "").lower() == value.lower()]
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
    answer["value"] = [selected(show(item), query) for item in matching[query.skip : end]]
    return answer


def selected(document: JsonObject, query: Query) -> JsonObject:
    """Return the properties that `$select` names, and what was expanded, with its annotations."""
    if not query.select:
        return document
    wanted = {*query.select, *query.expand}
    return {name: value for name, value in document.items() if name.partition("@")[0] in wanted}


def _refuse_unknown(options: Mapping[str, str], known: frozenset[str]) -> None:
    unknown = sorted(name for name in options if name.startswith("$") and name not in known)
    if unknown:
        raise _bad(f"The query parameter '{unknown[0]}' is not supported.")


def _names(text: str, known: frozenset[str], kind: EntityType) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise _bad(
                "Parsing OData Select and Expand failed: "
                f"Could not find a property named '{name}' on type '{kind.name}'."
            )
    return names


def _filter(options: Mapping[str, str], kind: EntityType) -> tuple[str, str] | None:
    if "$filter" not in options:
        return None
    match = _FILTER.match(options["$filter"])
    if match is None:
        raise _bad("Invalid filter clause: only PROPERTY eq 'VALUE' is supported.")
    if match["name"] not in kind.filterable:
        raise _bad(f"Invalid filter clause: '{match['name']}' of type '{kind.name}' cannot be filtered by.")
    return match["name"], match["value"].replace("''", "'")


def _order(options: Mapping[str, str], kind: EntityType) -> tuple[str, bool] | None:
    if "$orderby" not in options:
        return None
    match = _ORDER.match(options["$orderby"])
    if match is None or match["name"] not in kind.properties:
        raise _bad(f"Invalid orderby clause for type '{kind.name}'.")
    return match["name"], match["direction"] == "desc"


def _number(options: Mapping[str, str], name: str, least: int) -> int:
    text = options.get(name, str(least))
    number, most = whole_number(text, 10), _MAX_TOP if name == "$top" else 10**9
    if number is None or not least <= number <= most:
        raise _bad(f"Invalid value '{text}' for query parameter '{name}'.")
    return number


def _bad(message: str) -> GraphError:
    return GraphError(BAD_REQUEST, "BadRequest", message)
