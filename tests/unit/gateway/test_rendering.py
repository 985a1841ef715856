"""The one renderer: the same configuration gives the same files to the installer and to the monitor."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.options import GatewayOptions
from mstunnel_setup.gateway.rendering import (
    RESTART_KEYS,
    RenderedConfiguration,
    changes,
    needs_restart,
    open_port,
    render,
)

ENTRYPOINT = Path(__file__).parents[3] / "images" / "gateway" / "entrypoint"


def wish(port: int | None = None, **properties: Any) -> RenderedConfiguration:
    document = {"network": "10.0.0.0/8", **properties}
    return render(ServerConfiguration.from_wire(document), GatewayOptions(), port)


def conf(**properties: Any) -> bytes:
    return wish(**properties).text.encode()


def test_new_gateway_gets_all_files_ocserv_conf_last() -> None:
    assert [*changes({}, wish().files)] == [paths.ADMIN_SETTINGS, paths.OCSERV_CONF]


def test_unchanged_configuration_writes_nothing() -> None:
    assert changes(wish().files, wish().files) == {}


@pytest.mark.parametrize(
    ("properties", "changed"),
    [
        ({"displayName": "New name"}, [paths.ADMIN_SETTINGS]),
        ({"disableUdpConnections": True}, [paths.OCSERV_CONF]),
        ({"listenPort": 8443}, [paths.ADMIN_SETTINGS, paths.OCSERV_CONF]),
        ({"lastUpdateDateTime": "2026-01-01T00:00:00Z", "roleScopeTagIds": ["0"]}, []),
    ],
)
def test_only_changed_files_are_written(properties: dict[str, Any], changed: list[str]) -> None:
    assert [*changes(wish().files, wish(**properties).files)] == changed


def test_digest_follows_the_configuration() -> None:
    assert wish().digest == wish().digest
    assert wish().digest != wish(listenPort=8443).digest


def test_open_port_stays_in_use() -> None:
    """The container publishes the port it was created with; on another the gateway is unreachable."""
    open_now = open_port(wish().files)
    waiting = wish(open_now, listenPort=8443)

    assert open_now == 443
    assert waiting.text == wish().text
    assert waiting.settings == wish(listenPort=8443).settings, "the monitor reads there what is wanted"
    assert waiting.port_waiting is not None
    assert waiting.port_waiting.code == "listen-port-changed"


@pytest.mark.parametrize("present", [{}, {paths.OCSERV_CONF: b"no port here"}])
def test_new_gateway_accepts_any_port(present: Mapping[str, bytes | None]) -> None:
    new = wish(open_port(present), listenPort=8443)

    assert new.port_waiting is None
    assert open_port(new.files) == 8443


@pytest.mark.parametrize(
    ("properties", "restart"),
    [
        ({}, False),
        ({"dnsServers": ["10.1.0.1"], "splitDNS": ["a.test"]}, False),
        # Split tunnelling rules remove the IPv6 pool of a full tunnel.
        ({"routeIncludes": ["10.1.0.0/16"]}, True),
        ({"advancedSettings": [{"name": "session-timeout", "value": "60"}]}, False),
        ({"network": "10.64.0.0/10"}, True),
        ({"ipv6Network": "fd00::/64"}, True),
        ({"listenPort": 8443}, True),
        ({"disableUdpConnections": True}, True),
    ],
)
def test_changes_that_end_sessions_are_known(properties: dict[str, Any], restart: bool) -> None:
    assert needs_restart(conf(), conf(**properties)) is restart


def test_the_entry_point_restarts_for_the_same_keys() -> None:
    lines = re.findall(r"^restart_keys=(['\"])(.*)\1$", ENTRYPOINT.read_text(), re.MULTILINE)
    pattern = re.compile("|".join(text.removeprefix("$restart_keys|") for _quote, text in lines))
    every = {*RESTART_KEYS, "server-cert", "route", "dns", "session-timeout", "max-clients"}
    assert {key for key in every if pattern.fullmatch(key)} == set(RESTART_KEYS)
