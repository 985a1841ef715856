"""The result, text and hint of each row for given facts."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway.ocserv_conf import TunnelSettings
from mstunnel_setup.operations.explain import Row, rows
from mstunnel_setup.operations.explain_facts import ConnectionFacts, LogFindings, Subject, Token
from mstunnel_setup.operations.gateway_log import SessionRecord
from tests.cases import every

USER, PHONE, TUNNEL, INTRANET = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11", "192.0.2.7", "10.8.0.5", "10.99.0.10"
NOW = 1_800_000_000
SERVED = TunnelSettings(
    port=443,
    by_token=True,
    pools=(ip_network("10.8.0.0/24"),),
    dns_servers=("10.99.0.53",),
    split_dns=("corp.example",),
    includes=(ip_network("10.99.0.0/16"),),
    excludes=(ip_network("10.99.7.0/24"),),
)
SESSION: JsonObject = {
    "Username": USER,
    "Remote IP": PHONE,
    "IPv4": TUNNEL,
    "State": "connected",
    "Connected at": "2026-11-26 19:00",
}
RULES: JsonObject = {"required_claims": {"tid": "t"}, "user_name_claim": "oid", "maximum_lifetime": 108000}
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "k"}
CLAIMS = {"tid": "t", "oid": USER, "nbf": NOW - 60, "iat": NOW - 60, "exp": NOW + 3600}


def facts(subject: str, **changes: object) -> ConnectionFacts:
    """Return the facts of a healthy gateway with one connected device, changed by these values."""
    found = ConnectionFacts(
        subject=Subject(subject),
        now=NOW,
        health="healthy",
        sessions=(dict(SESSION),),
        banned=(),
        served=SERVED,
        rules=dict(RULES),
        log=LogFindings(),
        dns={"10.99.0.53": True},
        certificate_days=90,
    )
    address = found.subject.address
    return replace(found, **{"destinations": (address,) if address else (), **changes})  # type: ignore[arg-type]


def found(given: ConnectionFacts) -> Mapping[str, Row]:
    return {row.id: row for row in rows(given)}


def results(given: ConnectionFacts) -> dict[str, str]:
    return {name: row.result for name, row in found(given).items()}


def of_refused(reason: str, count: int = 1, **changes: object) -> ConnectionFacts:
    """Return the facts of a device that is not connected, after this many refused sign-ins."""
    return facts(PHONE, **{"sessions": (), "log": LogFindings(count, reason), **changes})


def of_token(claims: JsonObject, header: Mapping[str, object] = HEADER) -> ConnectionFacts:
    return facts(USER, token=Token({**CLAIMS, **claims}, {**HEADER, **header}), rules=RS256_RULES)


def of_certificate(severity: Severity) -> ConnectionFacts:
    given = (Problem("a", "fine", severity=Severity.NOTE), Problem("b", "of it", "Do this.", severity))
    return facts(USER, certificate=given)


def of_name(name: str, *addresses: str) -> ConnectionFacts:
    return facts(name, destinations=tuple(map(ip_address, addresses)))


def of_dns(answers: dict[str, bool]) -> ConnectionFacts:
    """Return facts with these DNS servers, and whether each answers."""
    return facts(USER, served=replace(SERVED, dns_servers=tuple(answers)), dns=answers)


RS256_RULES: JsonObject = {**RULES, "algorithm": "RS256"}
SHOWS_ALL = "Do this. `mst-cli cert check` shows all."
VALIDITY = "Token not within validity period NBF: 1"
AWAY = facts("someone", sessions=(), log=LogFindings(others=2))
NO_TOKENS = facts("someone", served=replace(SERVED, by_token=False), sessions=())
LAST = SessionRecord(operation="disconnect", client=PHONE, assigned=TUNNEL, user=USER, seconds=61)


@every(
    "given, row, result, seen, hint",
    [
        # A refused device shows the gateway's reason and a hint.
        (of_refused(VALIDITY), "token", "problem", "", "timedatectl"),
        (of_refused(VALIDITY), "session", "problem", "", ""),
        (of_refused("Required claim not met. Claim: aud"), "token", "problem", "", "rules for tokens"),
        (of_refused("Token has no GUID in claim: oid"), "token", "problem", "", "rules for tokens"),
        (of_refused("JWK with kid=x not found"), "token", "problem", "", "mst-readiness network"),
        (of_refused("Token malformed - no header"), "token", "problem", "", "--token-file"),
        (of_refused(""), "token", "problem", "", "--token-file"),
        # The refusal is also shown if a connected device shares the address.
        (of_refused("no kid", 2, sessions=(SESSION,)), "token", "warning", "", ""),
        (of_refused("no kid", 2, sessions=(SESSION,)), "session", "ok", "", ""),
        # The row token checks times and header of a given token.
        (of_token({}), "token", "ok", "was not verified here", ""),
        (of_token({"exp": NOW - 5}), "token", "problem", "5 s ago", ""),
        (of_token({"nbf": NOW + 60}), "token", "problem", "in 60 s", ""),
        (of_token({"iat": NOW - 200_000}), "token", "problem", "the longest allowed is 108000 s", ""),
        (of_token({"exp": "soon"}), "token", "problem", "no valid time in: exp", ""),
        (of_token({"nbf": True}), "token", "problem", "no valid time in: nbf", ""),
        (of_token({}, {"alg": "HS256"}), "token", "problem", "(rule algorithm)", ""),
        (of_token({}, {"typ": "at+jwt"}), "token", "problem", "(rule type)", ""),
        (of_token({}, {"kid": "x\n"}), "token", "problem", "(rule key-name)", ""),
        (of_token({}, {"kid": 7}), "token", "problem", "(rule key-name)", ""),
        # The row claims checks the claims of a given token.
        (of_token({}), "claims", "ok", "", ""),
        (of_token({"tid": "x"}), "token", "ok", "", ""),
        (of_token({"tid": "x"}), "claims", "problem", "", ""),
        (of_token({"oid": "other"}), "token", "ok", "", ""),
        (of_token({"oid": "other"}), "claims", "warning", "", ""),
        (facts(USER, token=Token({}, HEADER)), "token", "problem", "", ""),
        (facts(USER, token=Token({}, HEADER)), "claims", "ok", "", ""),
        # A gateway that admits by certificate uses no token.
        (NO_TOKENS, "token", "ok", "", ""),
        (NO_TOKENS, "claims", "ok", "", ""),
        # An unknown fact has a hint on how to determine it.
        (AWAY, "token", "unknown", "", "--"),
        (AWAY, "claims", "unknown", "", "--"),
        (AWAY, "inbound", "unknown", "", "--"),
        # The inbound hint is a test from outside, but only for a running gateway.
        (facts(INTRANET, sessions=()), "inbound", "unknown", "", "curl --insecure"),
        (facts(INTRANET, health="unhealthy", sessions=None), "inbound", "unknown", "", "server status"),
        # A pool without a free address is a problem.
        (
            facts("someone", served=replace(SERVED, pools=(ip_network("10.8.0.0/30"),))),
            *("lease", "problem", "0 addresses free", ""),
        ),
        # A destination is compared with the routes, and with the container's rules and routes.
        (facts(INTRANET), "routes", "ok", "by 10.99.0.0/16", ""),
        (facts(INTRANET), "firewall", "ok", "forwards", ""),
        (facts("198.51.100.9"), "routes", "problem", "in no range", " "),
        (facts("10.99.7.1"), "routes", "problem", "excluded by 10.99.7.0/24", " "),
        (facts("10.8.0.77"), "firewall", "problem", "kept apart", " "),
        (facts("2001:db8::1"), "routes", "problem", "in no range", " "),
        (facts(INTRANET, protected=(ip_address(INTRANET),)), "firewall", "problem", "host", ""),
        (facts(INTRANET, unroutable=(ip_address(INTRANET),)), "firewall", "problem", "no route", ""),
        # A host name must be in a split DNS domain and must resolve.
        (of_name("wiki.corp.example", INTRANET), "dns", "ok", "", ""),
        (of_name("wiki.corp.example"), "dns", "warning", "", ""),
        (of_name("wiki.other.example", INTRANET), "dns", "problem", "", ""),
        (of_name("wikicorp.example", INTRANET), "dns", "problem", "", ""),
        # The DNS servers must answer.
        (of_dns({}), "dns", "warning", "", ""),
        (of_dns({"10.99.0.53": False}), "dns", "problem", "", ""),
        (of_dns({"10.99.0.53": False, "10.99.0.54": True}), "dns", "warning", "", ""),
        (facts(USER, dns={}), "dns", "unknown", "", ""),
        # The worst finding decides the result of the row certificate.
        (of_certificate(Severity.ERROR), "certificate", "problem", "of it", SHOWS_ALL),
        (of_certificate(Severity.WARNING), "certificate", "warning", "of it", SHOWS_ALL),
        (of_certificate(Severity.NOTE), "certificate", "ok", "", ""),
    ],
)
def test_rows_show_result_text_and_hint(
    given: ConnectionFacts, row: str, result: str, seen: str, hint: str
) -> None:
    shown = found(given)[row]
    assert (shown.result, seen in shown.seen, hint in shown.hint) == (result, True, True), shown
    assert shown.seen.isprintable()


def test_last_session_and_commands_are_not_truncated() -> None:
    refused = found(of_refused(VALIDITY, 3))["token"]
    assert refused.seen == f"3 sign-ins refused in 24 hours; the last: {VALIDITY} (rule validity)"
    banned = found(facts(PHONE, sessions=(), banned=(PHONE,)))["session"]
    assert (banned.result, banned.hint) == ("problem", f"Run `mst-cli server unban ip {PHONE}`.")
    probed = found(facts(INTRANET, sessions=()))["inbound"]
    assert probed.hint == "From another network, run `curl --insecure https://ADDRESS:443/`."
    away = found(facts(USER, sessions=(), log=LogFindings(last=LAST)))["session"]
    assert away.seen == f"not connected; the last session, from {PHONE}, ended after 61 s"


@pytest.mark.parametrize("subject", [USER, PHONE, TUNNEL])
def test_connected_device_is_ok_by_user_and_by_either_address(subject: str) -> None:
    seen = results(facts(subject))
    assert seen.pop("firewall") == "unknown", "it depends on where the device wants to go"
    assert set(seen.values()) == {"ok"}
    assert found(facts(subject))["lease"].seen == TUNNEL


def test_stopped_gateway_leaves_rows_unknown() -> None:
    down = facts(INTRANET, health="unhealthy", sessions=None, served=None, certificate_days=None)
    assert results(replace(down, dns={})) == {
        "gateway": "problem",
        **dict.fromkeys(
            ("token", "claims", "session", "lease", "routes", "dns", "firewall", "inbound", "certificate"),
            "unknown",
        ),
    }
    assert all(row.hint for row in rows(down))


@pytest.mark.parametrize("subject", [USER, PHONE, INTRANET, "198.51.100.9", "wiki.other.example", "someone"])
def test_each_row_that_is_not_ok_has_a_hint(subject: str) -> None:
    for given in (facts(subject), facts(subject, sessions=(), dns={}), facts(subject, served=None)):
        assert [row.id for row in rows(given) if row.result != "ok" and not row.hint] == []
