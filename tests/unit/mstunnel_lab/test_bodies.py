"""Whatever is sent, a body is read or refused with 400; it never breaks the server."""

import base64
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.apps import (
    AndroidAppConfigurationBody,
    IosAppConfigurationBody,
    IosStoreAppBody,
    ManagedAppConfigurationBody,
    TargetAppsBody,
)
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.directory import ApplicationBody, AppRoleAssignmentBody, OwnerBody
from mstunnel_lab.graph.servers import ServerBody
from mstunnel_lab.graph.tunnel import ConfigurationBody, SiteBody
from mstunnel_setup.tenant.wire import wire_name

KINDS: tuple[type[Body], ...] = (
    ConfigurationBody,
    SiteBody,
    ServerBody,
    ApplicationBody,
    AppRoleAssignmentBody,
    OwnerBody,
    AndroidAppConfigurationBody,
    IosAppConfigurationBody,
    IosStoreAppBody,
    ManagedAppConfigurationBody,
    TargetAppsBody,
)
NAMES = sorted({wire_name(name) for kind in KINDS for name in kind.model_fields})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=6)


@pytest.mark.parametrize("kind", KINDS)
@given(document=BODIES | VALUES)
def test_read_or_refused(kind: type[Body], document: Any) -> None:
    try:
        body = judge(kind, document)
    except GraphError as error:
        refused = error
    else:
        assert judge(kind, document, body.document()) == body
        return
    assert (refused.status, refused.code) == (400, kind.code)


@given(
    network=st.ip_addresses(v=4, network="10.0.0.0/8").map(
        lambda ip: str(ip_network(f"{ip}/24", strict=False))
    ),
    port=st.integers(1, 65535),
    routes=st.lists(
        st.ip_addresses()
        .filter(lambda address: not address.is_unspecified)
        .map(lambda address: f"{address}/{address.max_prefixlen}"),
        max_size=20,
    ),
)
def test_every_right_configuration_is_taken(network: str, port: int, routes: list[str]) -> None:
    body = judge(
        ConfigurationBody,
        {"displayName": "x", "network": network, "listenPort": port, "routesExclude": routes},
    )
    assert list(body.route_excludes) == list(body.routes_exclude) == routes


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"none", "must be JSON, in base64"),
        (b"[]", "must have the kind androidenterprise#managedConfiguration"),
        (b"{}", "must have the kind androidenterprise#managedConfiguration"),
        (
            b'{"kind": "androidenterprise#managedConfiguration", "managedProperty": [{"valueInteger": 1}]}',
            "must have a list of managedProperty, each with a key",
        ),
        (
            b'{"kind": "androidenterprise#managedConfiguration", "managedProperty": 1}',
            "must have a list of managedProperty, each with a key",
        ),
    ],
)
def test_settings_of_android_that_are_none_are_refused(payload: bytes, said: str) -> None:
    body = {
        "displayName": "x",
        "targetedMobileApps": ["00000000-0000-4000-8000-000000000000"],
        "packageId": "app:com.contoso.app",
        "payloadJson": base64.b64encode(payload).decode(),
    }
    with pytest.raises(GraphError, match=said):
        judge(AndroidAppConfigurationBody, body)
