"""The wire models: Graph's names, unknown properties, members of enumerations that came later."""

import pytest
from pydantic import ValidationError

from mstunnel_setup.tenant.wire import (
    DeploymentMode,
    HealthStatus,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)


def test_what_is_unknown_comes_back() -> None:
    document = {"id": "1", "displayName": "x", "splitDNS": ["a.example"], "addedLater": {"a": 1}}
    assert TunnelConfiguration.from_wire(document).to_wire() == document


def test_only_what_was_set_is_sent() -> None:
    server = TunnelServer(display_name="gw", deployment_mode=DeploymentMode.STANDALONE_ROOTFUL)
    assert server.to_wire() == {"displayName": "gw", "deploymentMode": "standaloneRootful"}


def test_null_lists_are_empty_and_old_route_names_are_read() -> None:
    read = TunnelConfiguration.from_wire({"routeIncludes": None, "routesInclude": ["10.0.0.0/8"]})
    assert (read.includes, read.excludes) == (("10.0.0.0/8",), ())


def test_a_later_member_is_an_unknown_future_value() -> None:
    server = TunnelServer.from_wire({"tunnelServerHealthStatus": "sleepy"})
    assert server.tunnel_server_health_status is HealthStatus.UNKNOWN_FUTURE_VALUE


def test_times_of_day_are_read_as_graph_writes_them() -> None:
    site = TunnelSite.from_wire({"upgradeWindowStartTime": "23:30:00.0000000"})
    assert site.upgrade_window_start_time is not None
    assert site.upgrade_window_start_time.hour == 23


def test_wrong_types_are_refused() -> None:
    with pytest.raises(ValidationError):
        TunnelConfiguration.from_wire({"listenPort": "many"})
