"""What each row says of the facts, and that it names a next step or needs none."""

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
    """A healthy gateway with one connected device."""
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


@pytest.mark.parametrize("subject", [USER, PHONE, TUNNEL])
def test_a_connected_device_is_well_by_user_and_by_either_address(subject: str) -> None:
    seen = results(facts(subject))
    assert seen.pop("firewall") == "unknown", "it depends on where the device wants to go"
    assert set(seen.values()) == {"ok"}
    assert found(facts(subject))["lease"].seen == TUNNEL


def test_a_refused_device_shows_the_reason_of_the_gateway_and_what_to_do() -> None:
    refused = facts(PHONE, sessions=(), log=LogFindings(3, "Token not within validity period NBF: 1"))
    row = found(refused)["token"]
    assert (row.result, "timedatectl" in row.hint) == ("problem", True)
    assert "3 sign-ins refused" in row.seen
    assert "validity period" in row.seen
    assert row.seen.endswith("(rule validity)")
    assert results(refused)["session"] == "problem"


def test_a_refused_device_is_seen_beside_a_connected_one_that_shares_its_address() -> None:
    shared = found(facts(PHONE, log=LogFindings(2, "Token malformed - no kid")))
    assert (shared["token"].result, shared["session"].result) == ("warning", "ok")


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("Required claim not met. Claim: aud", "rules for tokens"),
        ("Token has no GUID in claim: oid", "rules for tokens"),
        ("JWK with kid=x not found", "mst-readiness network"),
        ("Token malformed - no header", "--token-file"),
        ("", "--token-file"),
    ],
)
def test_each_reason_leads_to_its_step(reason: str, step: str) -> None:
    assert step in found(facts(PHONE, sessions=(), log=LogFindings(1, reason)))["token"].hint


@pytest.mark.parametrize(
    ("claims", "header", "result", "part"),
    [
        ({}, {}, "ok", "was not verified here"),
        ({"exp": NOW - 5}, {}, "problem", "5 s ago"),
        ({"nbf": NOW + 60}, {}, "problem", "in 60 s"),
        ({"iat": NOW - 200_000}, {}, "problem", "the longest allowed is 108000 s"),
        ({"exp": "soon"}, {}, "problem", "no valid time in: exp"),
        ({"nbf": True}, {}, "problem", "no valid time in: nbf"),
        ({}, {"alg": "HS256"}, "problem", "(rule algorithm)"),
        ({}, {"typ": "at+jwt"}, "problem", "(rule type)"),
        ({}, {"kid": "x\n"}, "problem", "(rule key-name)"),
        ({}, {"kid": 7}, "problem", "(rule key-name)"),
    ],
)
def test_times_and_header_of_a_given_token_are_judged(
    claims: dict[str, object], header: dict[str, object], result: str, part: str
) -> None:
    given = Token({**CLAIMS, **claims}, {**HEADER, **header})
    row = found(facts(USER, token=given, rules={**RULES, "algorithm": "RS256"}))["token"]
    assert (row.result, part in row.seen) == (result, True), row.seen
    assert row.seen.isprintable()


@pytest.mark.parametrize(
    ("claims", "token", "judged"),
    [
        (CLAIMS, "ok", "ok"),
        ({**CLAIMS, "tid": "x"}, "ok", "problem"),
        ({**CLAIMS, "oid": "other"}, "ok", "warning"),
        ({}, "problem", "ok"),
    ],
)
def test_the_claims_of_a_given_token_are_judged(claims: dict[str, object], token: str, judged: str) -> None:
    seen = results(facts(USER, token=Token(claims, HEADER)))
    assert (seen["token"], seen["claims"]) == (token, judged)


def test_what_is_not_known_of_a_device_is_unknown_with_a_way_to_find_out() -> None:
    away = found(facts("someone", sessions=(), log=LogFindings(others=2)))
    for name in ("token", "claims", "inbound"):
        assert away[name].result == "unknown"
        assert "--" in away[name].hint, name


def test_a_gateway_that_runs_is_probed_on_its_port_and_one_that_does_not_waits_for_probes() -> None:
    running, down = facts(INTRANET, sessions=()), facts(INTRANET, health="unhealthy", sessions=None)
    probe = "From another network, run `mst-readiness inbound --probe ADDRESS:443`."
    assert found(running)["inbound"].hint == probe
    assert "--from HOST" in found(down)["inbound"].hint


def test_a_gateway_with_certificates_uses_no_token() -> None:
    seen = found(facts("someone", served=replace(SERVED, by_token=False), sessions=()))
    assert [seen[name].result for name in ("token", "claims")] == ["ok", "ok"]


def test_a_banned_address_is_named_with_the_command_that_lets_it_in() -> None:
    row = found(facts(PHONE, sessions=(), banned=(PHONE,)))["session"]
    assert (row.result, row.hint) == ("problem", f"Run `mst-cli server unban ip {PHONE}`.")


def test_the_last_session_of_a_device_that_is_away_is_told() -> None:
    last = SessionRecord(operation="disconnect", client=PHONE, assigned=TUNNEL, user=USER, seconds=61)
    row = found(facts(USER, sessions=(), log=LogFindings(last=last)))["session"]
    assert row.seen == f"not connected; the last session, from {PHONE}, ended after 61 s"


def test_a_pool_without_a_free_address_is_a_problem() -> None:
    full = replace(SERVED, pools=(ip_network("10.8.0.0/30"),))
    assert results(facts("someone", served=full))["lease"] == "problem"


@pytest.mark.parametrize(
    ("address", "row", "result", "part"),
    [
        (INTRANET, "routes", "ok", "by 10.99.0.0/16"),
        (INTRANET, "firewall", "ok", "forwards"),
        ("198.51.100.9", "routes", "problem", "in no range"),
        ("10.99.7.1", "routes", "problem", "excluded by 10.99.7.0/24"),
        ("10.8.0.77", "firewall", "problem", "kept apart"),
        ("2001:db8::1", "routes", "problem", "in no range"),
    ],
)
def test_a_destination_is_compared_with_routes_and_rules(
    address: str, row: str, result: str, part: str
) -> None:
    seen = found(facts(address))[row]
    assert (seen.result, part in seen.seen) == (result, True), seen.seen
    assert result == "ok" or seen.hint


def test_what_only_the_container_knows_of_a_destination_is_shown() -> None:
    address = ip_address(INTRANET)
    assert "host" in found(facts(INTRANET, protected=(address,)))["firewall"].seen
    assert "no route" in found(facts(INTRANET, unroutable=(address,)))["firewall"].seen


@pytest.mark.parametrize(
    ("name", "addresses", "result"),
    [
        ("wiki.corp.example", (INTRANET,), "ok"),
        ("wiki.corp.example", (), "warning"),
        ("wiki.other.example", (INTRANET,), "problem"),
        ("wikicorp.example", (INTRANET,), "problem"),
    ],
)
def test_a_name_has_to_be_in_the_split_dns_and_to_resolve(
    name: str, addresses: tuple[str, ...], result: str
) -> None:
    assert results(facts(name, destinations=tuple(map(ip_address, addresses))))["dns"] == result


@pytest.mark.parametrize(
    ("servers", "answers", "result"),
    [
        ((), {}, "warning"),
        (("10.99.0.53",), {"10.99.0.53": False}, "problem"),
        (("10.99.0.53", "10.99.0.54"), {"10.99.0.53": False, "10.99.0.54": True}, "warning"),
        (("10.99.0.53",), {}, "unknown"),
    ],
)
def test_dns_servers_have_to_answer(servers: tuple[str, ...], answers: dict[str, bool], result: str) -> None:
    assert results(facts(USER, served=replace(SERVED, dns_servers=servers), dns=answers))["dns"] == result


@pytest.mark.parametrize(
    ("severity", "result"),
    [(Severity.ERROR, "problem"), (Severity.WARNING, "warning"), (Severity.NOTE, "ok")],
)
def test_the_worst_finding_decides_about_the_certificate(severity: Severity, result: str) -> None:
    given = (Problem("a", "fine", severity=Severity.NOTE), Problem("b", "of it", "Do this.", severity))
    row = found(facts(USER, certificate=given))["certificate"]
    assert row.result == result
    assert result == "ok" or ("of it" in row.seen and row.hint.startswith("Do this."))


def test_a_gateway_that_is_down_leaves_nothing_that_pretends_to_be_known() -> None:
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
def test_every_row_that_is_not_well_names_a_next_step(subject: str) -> None:
    for given in (facts(subject), facts(subject, sessions=(), dns={}), facts(subject, served=None)):
        assert [row.id for row in rows(given) if row.result != "ok" and not row.hint] == []
