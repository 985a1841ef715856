"""The output of firewall and SELinux programs."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mstunnel_setup.readiness.facts import firewall
from mstunnel_setup.readiness.facts.firewall import Firewall
from tests.cases import every

ZONES = """\
block
  target: %%REJECT%%
  interfaces:
  services:
  ports:

public (active)
  target: default
  interfaces: eth0
  sources:
  services: {services}
  ports: {ports}
  rich rules:
"""
UFW = """\
Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
22/tcp                     ALLOW IN    Anywhere
{rules}
"""
PORTS = st.integers(min_value=1, max_value=65535)


@given(st.text(), PORTS)
@example(" :", 443)  # a setting without a zone
def test_firewall_readers_accept_any_text(data: str, port: int) -> None:
    for body in (data, ZONES.format(services=data, ports=data), UFW.format(rules=data)):
        for ends in firewall.proxy_port_ranges(body):
            assert all(map(str.isdecimal, ends.split("-")))
        for reader in (firewall.firewalld, firewall.ufw, firewall.nftables):
            found = reader(body, port)
            assert found is None or found.kind == reader.__name__


KEYS = (
    *("chain", "rule", "expr", "match", "left", "right"),
    *("op", "hook", "policy", "set", "range", "accept"),
)
JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["input", "forward", "drop", "==", "filter", "dport", "tcp"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=4))
def test_nftables_reader_accepts_any_ruleset(objects: list[Any]) -> None:
    ruleset = json.dumps({"nftables": objects})
    found = firewall.nftables(ruleset, 443)
    assert found is None or found.kind == "nftables"
    assert firewall.forwarded(ruleset, "", 443).forwarded


def test_ports_of_the_selinux_type() -> None:
    output = (
        "http_cache_port_t              tcp      8080, 8118, 10001-10010\n"
        "http_port_t                    tcp      80, 81, 443, 8008-8010\n"
        "http_port_t                    udp      80\n"
    )

    assert firewall.proxy_port_ranges(output) == ("80", "81", "443", "8008-8010")


INSIDE = "inside (active)\n  interfaces: eth1\n  services: ssh\n"
CONTAINERS = "trusted (active)\n  target: ACCEPT\n  interfaces: docker0\n  sources: 10.88.0.0/16\n"
UNNAMED = "{}\n  target: default\n  interfaces: \n  services: ssh\n  ports: \n\n" + CONTAINERS


@pytest.mark.parametrize(
    ("zones", "port", "tcp", "udp"),
    [
        (ZONES.format(services="ssh https", ports=""), 443, True, False),
        (ZONES.format(services="ssh https http3", ports=""), 443, True, True),
        (ZONES.format(services="ssh", ports="443/tcp 443/udp"), 443, True, True),
        (ZONES.format(services="ssh", ports="400-500/udp"), 443, False, True),
        (ZONES.format(services="ssh", ports="8443/tcp"), 443, False, False),
        # The service https does not cover other ports.
        (ZONES.format(services="https", ports=""), 8443, False, False),
        # Every active zone must open it; the default zone has all interfaces without a zone.
        (ZONES.format(services="https", ports="") + INSIDE, 443, False, False),
        (UNNAMED.format("public (default)"), 443, False, False),
        (UNNAMED.format("public"), 443, None, None),
    ],
)
def test_firewalld(zones: str, port: int, tcp: bool | None, udp: bool | None) -> None:
    assert firewall.firewalld(zones, port) == Firewall(kind="firewalld", tcp=tcp, udp=udp)


@every(
    "rules, tcp, udp",
    [
        ("443/tcp                    ALLOW IN    Anywhere", True, False),
        ("443                        ALLOW IN    Anywhere", True, True),
        ("443                        DENY IN     Anywhere", False, False),
        ("443/udp                    LIMIT IN    Anywhere", False, True),
        ("400:500/tcp                ALLOW IN    Anywhere", True, False),
        ("443/tcp                    ALLOW IN    198.51.100.0/24", None, False),
        ("80,443/tcp                 ALLOW IN    Anywhere", True, False),
        ("80,443/tcp (Nginx Full)    ALLOW IN    Anywhere", True, False),
        ("443/tcp (Apache Secure (v6)) ALLOW IN    Anywhere (v6)", True, False),
        ("443/udp on eth0            ALLOW IN    Anywhere", False, None),
        ("192.0.2.5 443/tcp          ALLOW IN    Anywhere", None, False),
        ("Anywhere/tcp               ALLOW IN    Anywhere", True, False),
        ("Anywhere                   DENY IN     203.0.113.5\n443 ALLOW IN Anywhere", True, True),
        ("443/tcp ALLOW IN 198.51.100.0/24\n443/tcp ALLOW IN Anywhere", True, False),
        ("443/tcp ALLOW IN 198.51.100.0/24\n443/tcp DENY IN Anywhere", None, False),
        ("443/tcp ALLOW OUT Anywhere\n443/udp ALLOW FWD Anywhere", False, False),
        ("Anywhere ALLOW OUT Anywhere on eth0\n443/tcp ALLOW IN Anywhere", True, False),
        ("", False, False),
    ],
)
def test_ufw(rules: str, tcp: bool | None, udp: bool | None) -> None:
    assert firewall.ufw(UFW.format(rules=rules), 443) == Firewall(kind="ufw", tcp=tcp, udp=udp)


def test_inactive_ufw_is_not_a_firewall() -> None:
    assert firewall.ufw("Status: inactive\n", 443) is None


def _ruleset(*rules: list[dict[str, Any]], policy: str = "drop", hook: str = "input") -> str:
    place = {"family": "inet", "table": "filter"}
    chain = {"chain": {**place, "name": hook, "type": "filter", "hook": hook, "policy": policy}}
    rows = [{"rule": {**place, "chain": hook, "expr": rule}} for rule in rules]
    return json.dumps({"nftables": [{"metainfo": {}}, chain, *rows]})


def _port(right: Any, protocol: str = "tcp") -> dict[str, Any]:
    return {
        "match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": "dport"}}, "right": right}
    }


ACCEPT: dict[str, Any] = {"accept": None}


@pytest.mark.parametrize(
    ("rules", "tcp"),
    [
        ([[_port(443), ACCEPT]], True),
        ([[_port({"set": [80, 443]}), ACCEPT]], True),
        ([[_port({"range": [400, 500]}), ACCEPT]], True),
        ([[_port({"set": [{"range": [400, 500]}]}), {"counter": None}, ACCEPT]], True),
        ([[_port(443, "th"), ACCEPT]], True),
        ([[_port(443), {"drop": None}]], False),
        ([[_port(80), ACCEPT]], False),
        ([[{"jump": {"target": "services"}}]], None),
        ([[_port("@open"), ACCEPT]], None),
        ([[{"xt": {"type": "match", "name": "multiport"}}, ACCEPT]], None),
    ],
)
def test_nftables(rules: list[list[dict[str, Any]]], tcp: bool | None) -> None:
    found = firewall.nftables(_ruleset(*rules), 443)

    assert found is not None
    assert found.tcp is tcp


def test_chain_with_policy_accept_is_not_a_firewall() -> None:
    assert firewall.nftables(_ruleset([_port(80), ACCEPT], policy="accept"), 443) is None


def test_final_reject_rule_closes_a_chain() -> None:
    ruleset = _ruleset([_port(443), ACCEPT], [{"reject": None}], policy="accept")

    assert firewall.nftables(ruleset, 443) == Firewall(kind="nftables", tcp=True, udp=False)


def _redirected(status: str) -> dict[str, Any]:
    return {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": status}}


@pytest.mark.parametrize(
    ("rules", "is_open"),
    [
        ([[_redirected("dnat"), ACCEPT]], True),
        ([[{"counter": None}, {"jump": {"target": "NETAVARK_FORWARD"}}]], True),
        ([[{"jump": {"target": "DOCKER-FORWARD"}}]], True),
        ([[_redirected("snat"), ACCEPT], [_port(443), ACCEPT]], False),
        ([], False),
        ([[{"jump": {"target": "another"}}]], None),
        ([[{"jump": {"target": "DOCKER-FORWARD"}}], [{"jump": {"target": "ufw-before-forward"}}]], True),
    ],
)
def test_forwarded_port_passes_a_rule_for_redirected_packets(
    rules: list[list[dict[str, Any]]], is_open: bool | None
) -> None:
    found = firewall.forwarded(_ruleset(*rules, hook="forward"), "", 443)

    assert found == Firewall(kind="nftables", forwarded=True, tcp=is_open, udp=is_open)


def test_rules_for_input_do_not_apply_to_a_forwarded_port() -> None:
    assert firewall.forwarded(_ruleset(), "", 443) == Firewall(forwarded=True)
    assert firewall.forwarded("no JSON", "", 443) == Firewall(forwarded=True)


@pytest.mark.parametrize(
    ("status", "tcp", "udp"),
    [
        ("Default: deny (incoming), allow (outgoing), deny (routed)", False, False),
        ("Default: deny (incoming), allow (outgoing), allow (routed)", True, True),
        ("443/tcp      ALLOW       Anywhere", False, False),
        ("443/tcp      ALLOW FWD   Anywhere", True, False),
        ("443/udp      ALLOW FWD   192.0.2.0/24", False, None),
    ],
)
def test_routing_rules_of_ufw_apply_to_a_forwarded_port(
    status: str, tcp: bool | None, udp: bool | None
) -> None:
    for target in ("ufw-before-forward", "ufw6-before-forward"):
        of_ufw = _ruleset([{"jump": {"target": target}}], hook="forward")

        found = firewall.forwarded(of_ufw, f"Status: active\n{status}\n", 443)

        assert found == Firewall(kind="ufw", forwarded=True, tcp=tcp, udp=udp)
