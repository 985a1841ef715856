"""Requests to Graph: the token stays with Graph, paging ends, values are quoted, refusals are errors."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base import errors
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.transport import GraphTransport, equals, query
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE
from tests.cases import every
from tests.refusals import refused
from tests.unit.tenant.fakes import FakeHttp, fixed_token, response

BASE = "https://graph.example/beta"


def over(*documents: dict[str, Any]) -> tuple[FakeHttp, GraphTransport]:
    http = FakeHttp([response(200, document) for document in documents])
    return http, GraphTransport(http, BASE, fixed_token("t0ken"))


def test_all_pages_are_read() -> None:
    http, graph = over(
        {"value": [{"id": 1}], "@odata.nextLink": f"{BASE}/things?$skiptoken=1"}, {"value": [{"id": 2}]}
    )

    assert [item["id"] for item in graph.pages("/things")] == [1, 2]
    assert [call.url for call in http.calls] == [f"{BASE}/things", f"{BASE}/things?$skiptoken=1"]


@pytest.mark.parametrize(
    "link",
    [f"{BASE}/things", "https://evil.example/beta/things", "http://graph.example/beta/things", 7],
    ids=["circle", "another host", "without TLS", "no address"],
)
def test_invalid_next_link_is_not_followed(link: object) -> None:
    http, graph = over({"value": [], "@odata.nextLink": link})

    with refused(TenantError, "paging-broken"):
        list(graph.pages("/things"))
    assert len(http.calls) == 1


def test_endless_paging_stops_after_a_thousand_pages() -> None:
    http = FakeHttp()
    http.replies = [
        lambda: response(200, {"value": [], "@odata.nextLink": f"{BASE}/things?{len(http.calls)}"})
    ]

    with refused(TenantError, "paging-broken"):
        list(GraphTransport(http, BASE, fixed_token()).pages("/things"))
    assert len(http.calls) == 1000


def test_a_collection_without_a_list_is_refused() -> None:
    _, graph = over({"id": "not a collection"})

    with refused(TenantError, "answer-unexpected"):
        list(graph.pages("/things"))


def test_token_is_sent_in_a_header_and_redirects_are_refused() -> None:
    http, graph = over({"id": "1"})

    graph.send("POST", "/things", {"a": 1})

    options = http.calls[0].options
    assert options["headers"]["Authorization"] == "Bearer t0ken"
    assert options["allow_redirects"] is False
    assert options["json"] == {"a": 1}
    assert "t0ken" not in http.calls[0].url


def test_no_content_is_an_empty_object() -> None:
    assert GraphTransport(FakeHttp([response(204)]), BASE, fixed_token()).send("DELETE", "/things/1") == {}


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_filter_value_is_quoted_correctly(value: str) -> None:
    address = urlsplit(f"{BASE}/things{query(filter=equals('displayName', value))}")
    expression = parse_qs(address.query, keep_blank_values=True)["$filter"][0]

    assert expression == "displayName eq '{}'".format(value.replace("'", "''"))
    assert "+" not in address.query


CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("graph_errors.json").read_text())


@every("case", CASES)
def test_refusal_of_graph_is_explained(case: dict[str, Any]) -> None:
    headers = {"request-id": "abc", **({"Content-Type": case["type"]} if "type" in case else {})}
    http = FakeHttp([response(case["status"], case["body"], headers)])
    transport = GraphTransport(http, BASE, fixed_token("secret-token"))

    with pytest.raises(getattr(errors, case["kind"])) as caught:
        transport.send("POST", "/things", {"a": 1}, needs=CONFIGURATION_READ_WRITE)

    assert caught.value.code == case["code"]
    assert case["shows"] in caught.value.message
    assert case.get("hints", "") in caught.value.hint
    assert caught.value.hint
    assert "secret-token" not in f"{caught.value.message!s}{caught.value.hint!s}"
