import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, TenantError, UsageError
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import NUMBERS, SWITCHES
from mstunnel_setup.gateway.ocserv_conf import (
    DEAD_END_NETWORK,
    LogLevel,
    begin_verbose,
    gateway_port,
    log_level,
    ocserv_conf,
    read_tunnel_settings,
    served_port,
    with_port,
)
from mstunnel_setup.gateway.options import Authentication
from mstunnel_setup.gateway.rendering import admin_settings
from mstunnel_setup.io.files import Files
from tests.refusals import refused

LONGEST_LINE = 2047
"""Bytes that ocserv reads as one line; the rest would be another line."""

OURS = set(ocserv_conf(ServerConfiguration.from_wire({"network": "10.0.0.0/8"})).splitlines())
FROM_THE_TENANT = {
    *("tcp-port", "udp-port", "ipv4-network", "ipv4-netmask", "ipv6-network", "dns", "default-domain"),
    *("split-dns", "route", "no-route", *NUMBERS, *SWITCHES),
}
PLAIN_VALUE = re.compile(r'"?[A-Za-z0-9_.:/ -]*"?')

BREAKS = ["\n", "\r", "\x0b", "\x85", "\u2028", "\0"]
FRAGMENTS = st.sampled_from([*BREAKS, '"', "#", ";", "[vhost:x]", "auth = plain", "=", "%", "${", "{{"])
NETWORKS = st.sampled_from(["10.1.0.0/16", "10.2.3.0/24", "192.0.2.1/32", "fd00:1::/64"])
NAMES = st.sampled_from(["contoso.example", "_dns.corp.contoso.example", "xn--mnchen-3ya.example"])
ADDRESSES = st.sampled_from(["10.1.0.53", "fd00:1::53"])
SETTINGS = st.one_of(
    st.tuples(st.sampled_from(sorted(NUMBERS)), st.integers(576, 9000).map(str)),
    st.tuples(st.sampled_from(sorted(SWITCHES)), st.sampled_from(["true", "false", "Yes"])),
)
SOUND = st.fixed_dictionaries(
    {"network": st.sampled_from(["10.0.0.0/8", "169.254.0.0/16"])},
    optional={
        "displayName": st.text("Default-構成 ", max_size=20),
        "ipv6Network": st.just("fd00:9::/64"),
        "dnsServers": st.lists(ADDRESSES, max_size=3),
        "defaultDomainSuffix": NAMES,
        "routeIncludes": st.lists(NETWORKS, max_size=3),
        "routesInclude": st.lists(NETWORKS, max_size=3),
        "routeExcludes": st.lists(NETWORKS, max_size=3),
        "splitDNS": st.lists(NAMES, max_size=3),
        "listenPort": st.integers(1, 65535),
        "disableUdpConnections": st.booleans(),
        "advancedSettings": st.lists(
            SETTINGS.map(lambda pair: dict(zip(("name", "value"), pair, strict=True)))
        ),
    },
)
HOSTILE = st.lists(
    st.one_of(NETWORKS, NAMES, ADDRESSES, FRAGMENTS, st.text(max_size=8)), min_size=1, max_size=6
).map("".join)
SETTING = st.fixed_dictionaries(
    {"name": st.one_of(st.sampled_from(sorted(NUMBERS)), HOSTILE), "value": HOSTILE}
)
TEXTS = ("id", "displayName", "description", "network", "ipv6Network", "defaultDomainSuffix", "listenPort")
LISTS = ("dnsServers", "routeIncludes", "routesInclude", "routeExcludes", "splitDNS")
ONE_HOSTILE = st.one_of(
    st.tuples(st.sampled_from(TEXTS), HOSTILE),
    st.tuples(st.sampled_from(LISTS), st.lists(HOSTILE, min_size=1, max_size=2)),
    st.tuples(st.just("advancedSettings"), st.lists(SETTING, min_size=1, max_size=2)),
)
DOCUMENTS = st.builds(lambda sound, hostile: {**sound, hostile[0]: hostile[1]}, SOUND, ONE_HOSTILE)


@given(SOUND)
def test_valid_configuration_gives_lines_known_to_ocserv(document: dict[str, object]) -> None:
    check_lines(ocserv_conf(ServerConfiguration.from_wire(document)))


@given(DOCUMENTS)
@example({"network": "10.0.0.0/8", "dnsServers": ["fe80::1%\nauth = plain"]})
@example({"network": "10.0.0.0/8", "displayName": "x" * 3000 + "auth = plain"})
def test_no_value_of_the_tenant_adds_a_line(document: dict[str, object]) -> None:
    try:
        configuration = ServerConfiguration.from_wire(document)
    except TenantError:
        return
    check_lines(ocserv_conf(configuration))


def check_lines(text: str) -> None:
    for line in text.split("\n"):
        key, _, value = line.partition(" = ")
        assert line in OURS or (key in FROM_THE_TENANT and PLAIN_VALUE.fullmatch(value))
        assert len(line.encode()) <= LONGEST_LINE


@given(SOUND)
def test_the_same_configuration_always_gives_the_same_bytes(document: dict[str, object]) -> None:
    first = ServerConfiguration.from_wire(document)
    second = ServerConfiguration.from_wire(dict(reversed(document.items())))

    assert ocserv_conf(first) == ocserv_conf(second)
    assert admin_settings(first) == admin_settings(second)


def test_every_line_of_a_small_configuration() -> None:
    text = ocserv_conf(ServerConfiguration.from_wire({"network": "169.254.0.0/16"}))

    assert (
        text
        == """\
# managed by mstunnel_monitor; do not edit
#
# Made from the server configuration in the tenant; what is changed here is lost when that changes.

auth = "oidc[config=/etc/mstunnel/oidc.json]"

tcp-port = 443
udp-port = 443
server-cert = /etc/mstunnel/private/active/chain.pem
server-key = /etc/mstunnel/private/active/key.pem
tls-priorities = "NORMAL:%SERVER_PRECEDENCE:-RSA:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS1.0"

run-as-user = ocserv
run-as-group = ocserv
isolate-workers = true
socket-file = /run/ocserv.socket
use-occtl = true
occtl-socket-file = /run/occtl.socket
use-utmp = false
log-level = 0
connect-script = /usr/libexec/mstunnel/session-log
disconnect-script = /usr/libexec/mstunnel/session-log

device = vpns
ipv4-network = 169.254.0.0
ipv4-netmask = 255.255.0.0
# IPv6 belongs in the tunnel, and ends at the gateway instead of bypassing it.
ipv6-network = fdb3:7c1e:94a2::/64

route = default

auth-timeout = 240
ban-points-connection = 0
compression = false
cookie-timeout = 300
dpd = 60
keepalive = 300
max-clients = 0
max-same-clients = 0
mobile-dpd = 300
rate-limit-ms = 100
session-timeout = 3600
switch-to-tcp-timeout = 25
try-mtu-discovery = true
"""
    )


@pytest.mark.parametrize(
    ("document", "network"),
    [
        ({}, [DEAD_END_NETWORK]),
        ({"routeIncludes": ["default"], "routeExcludes": ["10.1.0.0/16"]}, [DEAD_END_NETWORK]),
        ({"ipv6Network": "fd00:9::/64"}, ["fd00:9::/64"]),
        ({"routeIncludes": ["10.1.0.0/16"]}, []),
        ({"routeIncludes": ["10.1.0.0/16"], "ipv6Network": "fd00:9::/64"}, ["fd00:9::/64"]),
    ],
)
def test_only_a_full_tunnel_captures_ipv6(document: dict[str, object], network: list[str]) -> None:
    configuration = ServerConfiguration.from_wire({"network": "10.0.0.0/8", **document})

    assert re.findall(r"^ipv6-network = (.*)$", ocserv_conf(configuration), re.MULTILINE) == network


def test_another_method_is_refused_by_name() -> None:
    with refused(UsageError, "authentication-unsupported", match="pam") as caught:
        Authentication("pam")

    assert "oidc, certificate" in caught.value.hint


PORTS = st.integers(1, 65535)


def conf(port: int, *, tcp_only: bool) -> bytes:
    wire = {"network": "10.0.0.0/8", "listenPort": port, "disableUdpConnections": tcp_only}
    return ocserv_conf(ServerConfiguration.from_wire(wire)).encode()


@given(before=PORTS, after=PORTS, tcp_only=st.booleans())
def test_changed_port_equals_a_new_rendering(before: int, after: int, *, tcp_only: bool) -> None:
    assert served_port(conf(before, tcp_only=tcp_only)) == before
    assert with_port(conf(before, tcp_only=tcp_only), after) == conf(after, tcp_only=tcp_only)


def test_a_host_without_the_file_is_reported(tmp_path: Path) -> None:
    with refused(StepError, "settings-unreadable"):
        gateway_port(Files(tmp_path))


NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
END = NOW + timedelta(hours=8)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc/mstunnel").mkdir(parents=True)
    return Files(tmp_path)


@pytest.mark.parametrize(("value", "level"), [(None, 0), ("", 0), ("0", 0), ("3", 3), ("4", 4), ("9", 4)])
def test_log_level_without_verbose_mode_is_the_setting(files: Files, value: str | None, level: int) -> None:
    settings = {} if value is None else {"DEBUG_LEVEL": value}
    assert log_level(files, settings, NOW) == LogLevel(level, level)


@pytest.mark.parametrize(("name", "value"), [("mst_verbose_log", "true"), ("mst_log_verbose", "1")])
def test_vendor_verbose_setting_gives_highest_level(files: Files, name: str, value: str) -> None:
    assert log_level(files, {name: value, "DEBUG_LEVEL": "1"}, NOW) == LogLevel(4, 4)
    assert log_level(files, {name: "false", "DEBUG_LEVEL": "1"}, NOW) == LogLevel(1, 1)


@pytest.mark.parametrize("usual", ["0", "1", "4"])
def test_verbose_mode_expires_and_setting_applies_again(files: Files, usual: str) -> None:
    begin_verbose(files, END)
    settings = {"DEBUG_LEVEL": usual}
    assert log_level(files, settings, END - timedelta(seconds=1)) == LogLevel(4, int(usual), END)
    assert log_level(files, settings, END) == LogLevel(int(usual), int(usual))


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"level": 9, "until": "2026-07-01T20:00:00Z"}', '{"level": 4}'),
        *(
            f'{{"level": 4, "until": {until}}}'
            for until in ("9" * 5000, "1e999", "[" * 1000, "null", '"2026-07-01T00:00:00"')
        ),
    ],
)
def test_damaged_verbose_file_is_ignored(files: Files, content: str) -> None:
    files.write(paths.LOG_LEVEL, content.encode())
    assert log_level(files, {"DEBUG_LEVEL": "1"}, NOW) == LogLevel(1, 1)


@pytest.mark.parametrize("value", ["-1", "high", "1.5", "٣"])
def test_a_wrong_setting_is_named(files: Files, value: str) -> None:
    with refused(UsageError, "debug-level-invalid", match=f"DEBUG_LEVEL cannot be {value}"):
        log_level(files, {"DEBUG_LEVEL": value}, NOW)


def test_what_is_served_is_read_back_from_the_file() -> None:
    fields = {"network": "10.8.0.0/16", "listenPort": 8443, "dnsServers": ["10.0.0.53"]}
    configuration = ServerConfiguration.from_wire({**fields, "routeIncludes": ["10.1.0.0/16"]})
    served = read_tunnel_settings(ocserv_conf(configuration).encode())
    assert served is not None
    assert (served.port, served.by_token, served.dns_servers) == (8443, True, ("10.0.0.53",))
    assert "10.8.0.0/16" in map(str, served.pools)
    assert read_tunnel_settings(b"tcp-port = 443\n") is None
