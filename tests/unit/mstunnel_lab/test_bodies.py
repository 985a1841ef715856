"""Requests and responses of Graph: bodies, the wire models, query options."""

import base64
from contextlib import suppress
from datetime import time
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph import apps, credentials, directory, profiles, servers, tunnel
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.http import EntityType, page, parse_query
from mstunnel_setup.tenant.wire import (
    DeploymentMode,
    HealthStatus,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    wire_name,
)

KINDS: list[type[Body]] = [
    kind
    for module in (apps, credentials, directory, profiles, servers, tunnel)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Body) and kind.__module__ == module.__name__
    if hasattr(kind, "type_name")
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_document_is_read_or_refused(kind: type[Body], data: st.DataObject) -> None:
    names = st.sampled_from([wire_name(name) for name in kind.model_fields]) | st.text()
    document = data.draw(st.dictionaries(names, VALUES, max_size=6) | VALUES)
    try:
        body = judge(kind, document)
    except GraphError as error:
        refused = error
    else:
        assert judge(kind, document, body.document()) == body
        return
    assert (refused.status, refused.code) == (400, kind.code)


NETWORKS = st.ip_addresses(v=4, network="10.0.0.0/8").map(
    lambda address: str(ip_network(f"{address}/24", strict=False))
)
HOSTS = st.ip_addresses().filter(lambda address: not address.is_unspecified)
ROUTES = HOSTS.map(lambda address: f"{address}/{address.max_prefixlen}")


@given(NETWORKS, st.integers(1, 65535), st.lists(ROUTES, max_size=20))
def test_every_valid_configuration_is_accepted(network: str, port: int, routes: list[str]) -> None:
    document = {"displayName": "x", "network": network, "listenPort": port, "routesExclude": routes}
    body = judge(tunnel.ConfigurationBody, document)
    assert list(body.route_excludes) == list(body.routes_exclude) == routes


KIND = b'"kind": "androidenterprise#managedConfiguration"'


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"none", "must be JSON, in base64"),
        (b"[]", "must have the kind androidenterprise#managedConfiguration"),
        (b"{}", "must have the kind androidenterprise#managedConfiguration"),
        (
            b'{%s, "managedProperty": [{"valueInteger": 1}]}' % KIND,
            "a list of managedProperty, each with a key",
        ),
        (b'{%s, "managedProperty": 1}' % KIND, "must have a list of managedProperty, each with a key"),
    ],
)
def test_invalid_settings_of_android_are_refused(payload: bytes, said: str) -> None:
    body = {
        "displayName": "x",
        "targetedMobileApps": ["00000000-0000-4000-8000-000000000000"],
        "packageId": "app:com.contoso.app",
        "payloadJson": base64.b64encode(payload).decode(),
    }
    with pytest.raises(GraphError, match=said):
        judge(apps.AndroidAppConfigurationBody, body)


def test_wire_models_keep_unknown_members_and_omit_unset_ones() -> None:
    """Check four rules of wire models.

    Unknown members are kept; only members that were set are sent; nulls and old names are read.
    """
    document = {"id": "1", "displayName": "x", "splitDNS": ["a.example"], "addedLater": {"a": 1}}
    assert TunnelConfiguration.from_wire(document).to_wire() == document
    server = TunnelServer(display_name="gw", deployment_mode=DeploymentMode.STANDALONE_ROOTFUL)
    assert server.to_wire() == {"displayName": "gw", "deploymentMode": "standaloneRootful"}
    read = TunnelConfiguration.from_wire({"routeIncludes": None, "routesInclude": ["10.0.0.0/8"]})
    assert (read.includes, read.excludes) == (("10.0.0.0/8",), ())
    later = TunnelServer.from_wire({"tunnelServerHealthStatus": "sleepy"})
    assert later.tunnel_server_health_status is HealthStatus.UNKNOWN_FUTURE_VALUE
    site = TunnelSite.from_wire({"upgradeWindowStartTime": "23:30:00.0000000"})
    assert site.upgrade_window_start_time == time(23, 30)
    with pytest.raises(ValidationError):
        TunnelConfiguration.from_wire({"listenPort": "many"})


SITE = EntityType("microsoftTunnelSite", TunnelSite)


@given(st.text(min_size=1))
def test_quoted_value_of_a_filter_is_read_unchanged(value: str) -> None:
    quoted = value.replace("'", "''")
    query = parse_query({"$filter": f"displayName eq '{quoted}'"}, SITE)
    assert query.filter == ("displayName", frozenset({value}))


OPTIONS = st.sampled_from(["$filter", "$top", "$skip", "$orderby", "$select", "$x"])
OPTION_VALUES = (
    st.text() | st.integers(-2, 2000).map(str) | st.sampled_from(["displayName", "id,displayName"])
)


@given(st.dictionaries(OPTIONS, OPTION_VALUES))
def test_any_options_are_read_or_refused(options: dict[str, str]) -> None:
    with suppress(GraphError):
        query = parse_query(options, SITE)
        assert query.top is None or 0 < query.top < 1000
        assert set(query.select) <= SITE.properties


@given(st.integers(0, 30), st.integers(1, 7), st.integers(1, 40) | st.none())
def test_next_links_return_every_object_once(total: int, size: int, top: int | None) -> None:
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
