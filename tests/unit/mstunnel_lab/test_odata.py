"""Query options: values survive quoting, pages cover everything once."""

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.odata import entity_type, page, parse_query
from mstunnel_setup.tenant.wire import TunnelSite

SITE = entity_type("microsoft.graph.microsoftTunnelSite", TunnelSite)


@given(st.text(min_size=1))
def test_a_quoted_value_comes_back(value: str) -> None:
    quoted = value.replace("'", "''")
    query = parse_query({"$filter": f"displayName eq '{quoted}'"}, SITE)
    assert query.filter == ("displayName", value)


OPTIONS = st.sampled_from(["$filter", "$top", "$skip", "$orderby", "$select", "$x"])
VALUES = st.text() | st.integers(-2, 2000).map(str) | st.sampled_from(["displayName", "id,displayName"])


@given(st.dictionaries(OPTIONS, VALUES))
def test_any_options_are_read_or_refused(options: dict[str, str]) -> None:
    with suppress(GraphError):
        query = parse_query(options, SITE)
        assert query.top is None or 0 < query.top < 1000
        assert set(query.select) <= SITE.properties


@given(st.integers(0, 30), st.integers(1, 7), st.integers(1, 40) | st.none())
def test_following_the_links_gives_everything_once(total: int, size: int, top: int | None) -> None:
    documents: list[dict[str, Any]] = [{"id": str(number), "displayName": "x"} for number in range(total)]
    options = {"$top": str(top)} if top else {}
    seen: list[str] = []
    while True:
        query = parse_query(options, SITE)
        answer: dict[str, Any] = page(documents, dict, query, "https://lab/beta/sites", options, size=size)
        seen += [document["id"] for document in answer["value"]]
        if "@odata.nextLink" not in answer:
            break
        options = dict(parse_qsl(urlsplit(answer["@odata.nextLink"]).query))
    assert seen == [document["id"] for document in documents]
