"""No key of ocserv.conf that names a path, program, user, socket or authentication is reached from data."""

import itertools
import json
from typing import Any, Final

import pytest

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange.mailbox import CONFIGURATION, AgentRequest
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import NUMBERS, SWITCHES
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from mstunnel_setup.gateway.options import GatewayOptions
from tests.cases import every
from tests.refusals import refused

# These are all keys of ocserv(8), 1.3.0, except those that a tenant may set.
_DOCUMENTED: Final = """
acct auth enable-auth listen-host listen-host-is-dyndns listen-clear-file listen-proxy-proto listen-
netns tcp-port udp-port run-as-user run-as-group socket-file occtl-socket-file use-occtl use-utmp
use-dbus chroot-dir server-cert server-key ca-cert crl dh-params pin-file srk-pin-file key-pin ocsp-
response cert-user-oid cert-group-oid tls-priorities match-tls-dtls-ciphers isolate-workers connect-
script disconnect-script host-update-script restrict-user-to-routes restrict-user-to-ports user-
profile camouflage camouflage_secret camouflage_realm included-http-headers proxy-url device
ipv4-network ipv4-netmask ipv6-network ipv6-prefix ipv6-subnet-prefix expose-iroutes default-domain
dns nbns split-dns route no-route config-per-user config-per-group default-user-config default-
group-config route-add-cmd route-del-cmd default-select-group select-group select-group-by-url auto-
select-group cisco-client-compat cisco-svc-client-compat client-bypass-protocol-x log-level syslog
hostname banner pre-login-banner pid-file net-priority output-buffer-x custom-header cgroup radius-
config gssapi pam plain oidc udp-listen-host always-require-cert crlf vhost include secmod-socket
dtls-psk sec-mod-scale
"""
TOO_FAR: Final = _DOCUMENTED.split()

VALUES: Final = (
    "/etc/mstunnel/agent/evil",
    "plain[passwd=/etc/mstunnel/agent/pw]",
    "true",
    "0",
    "root",
    "1\n",
)
# Each of these would turn a value into another line or key if it were copied.
TAILS: Final = (
    *("\nconnect-script = /etc/mstunnel/agent/evil", "\r\nauth = plain", "\x0bserver-key = x", "\x85crl = x"),
    *("\u2028ca-cert = x", '"\nauth = "plain', "' connect-script = x", "#", " ; x"),
    *("\\\nauth = x", "$(id)", "`id`"),
    *("[vhost:x]", "\0auth = x", "\x1bauth=x", "]", "%{x}", "=/x"),
)
BASE: Final[dict[str, Any]] = {"id": "c", "displayName": "d", "network": "10.0.0.0/8"}


def keys(text: str) -> set[str]:
    """Return the keys that ocserv finds in a configuration; a vhost has separate keys."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert all("=" in line and line.isprintable() and len(line) < 2048 for line in lines), text
    return {line.partition("=")[0].strip() for line in lines}


def lines_of_ours(text: str) -> list[str]:
    """Return the lines that only this host determines."""
    ours = {
        *("auth", "server-cert", "server-key", "tls-priorities", "run-as-user", "run-as-group"),
        *("isolate-workers", "socket-file", "use-occtl", "occtl-socket-file", "use-utmp", "log-level"),
        *("connect-script", "disconnect-script", "device", "ca-cert", "cert-user-oid"),
    }
    return [line for line in text.split("\n") if line.partition("=")[0].strip() in ours]


def rendered(document: dict[str, Any]) -> str | None:
    """Return what the host renders from the agent's data, or None if it rejects them."""
    content = json.dumps({"version": 1, "configuration": document}).encode()
    try:
        return ocserv_conf(AgentRequest(CONFIGURATION, content).configuration()[0], GatewayOptions())
    except SetupError:
        return None


PLAIN = ocserv_conf(ServerConfiguration.from_wire(BASE), GatewayOptions())
POSSIBLE = {
    *(keys(PLAIN) | set(NUMBERS) | SWITCHES),
    *("udp-port", "ipv6-network", "dns", "default-domain", "split-dns", "route", "no-route"),
}


@every("name", [*TOO_FAR, "Auth", "AUTH", " auth", "auth ", "connect-script\n", "mtu = 1\nauth"])
def test_no_advanced_setting_reaches_a_key_of_this_host(name: str) -> None:
    for value in VALUES:
        text = rendered({**BASE, "advancedSettings": [{"name": name, "value": value}]})
        assert text is None or text == PLAIN


@every("name", sorted({*NUMBERS, *SWITCHES}))
def test_advanced_setting_is_only_a_number_or_a_switch(name: str) -> None:
    for good, tail in itertools.product(("1200", "true"), TAILS):
        text = rendered({**BASE, "advancedSettings": [{"name": name, "value": good + tail}]})
        assert text is None, (name, tail)


@pytest.mark.parametrize(
    ("field", "good", "several"),
    [
        ("id", "c", False),
        ("displayName", "d", False),
        ("description", "d", False),
        ("network", "10.0.0.0/8", False),
        ("ipv6Network", "fd00::/64", False),
        ("defaultDomainSuffix", "corp.test", False),
        ("dnsServers", "10.0.0.53", True),
        ("splitDNS", "corp.test", True),
        ("routeIncludes", "10.1.0.0/16", True),
        ("routeExcludes", "10.1.0.0/16", True),
    ],
)
def test_no_text_of_the_tenant_adds_a_line(field: str, good: str, several: bool) -> None:
    for tail in ("", *TAILS, *(f"{found} {good}" for found in TAILS)):
        value = good + tail
        text = rendered({**BASE, field: [value] if several else value})
        if text is not None:
            assert keys(text) <= POSSIBLE
            assert lines_of_ours(text) == lines_of_ours(PLAIN)


@pytest.mark.parametrize("value", [1e999, -1, 0, 65536, 443.0, True, "443", [443], {"a": 1}, 10**400])
def test_the_port_is_a_port(value: object) -> None:
    text = rendered({**BASE, "listenPort": value})
    assert text is None


@pytest.mark.parametrize(
    "document",
    [
        {"dnsServers": [f"10.0.{i // 250}.{i % 250 + 1}" for i in range(1000)]},
        {"splitDNS": [f"d{i}.test" for i in range(5000)]},
        {"advancedSettings": [{"name": f"x{i}", "value": "1"} for i in range(5000)]},
        {"routeIncludes": [f"10.{i // 250}.{i % 250}.0/24" for i in range(501)]},
    ],
)
def test_a_configuration_has_bounds(document: dict[str, Any]) -> None:
    assert rendered({**BASE, **document}) is None


@pytest.mark.parametrize("extra", [{"path": "/x"}, {"authentication": "plain"}, {"debug_level": 9}])
def test_beside_the_configuration_nothing_can_be_handed_over(extra: dict[str, Any]) -> None:
    content = json.dumps({"version": 1, "configuration": BASE, **extra}).encode()
    with refused(SetupError, "message-invalid"):
        AgentRequest(CONFIGURATION, content).configuration()


def test_unknown_properties_of_the_tenant_have_no_effect() -> None:
    assert rendered({**BASE, "connectScript": "/x", "auth": "plain", "connect-script": "/x"}) == PLAIN
