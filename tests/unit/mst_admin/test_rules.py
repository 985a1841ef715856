"""Every rule about a field, as cases: value, accepted or refused, and code of the finding."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mst_admin.apply import parse_declarations
from mst_admin.metrics import ThresholdObject, judge_threshold, threshold_body
from mst_admin.objects.configuration import (
    ConfigurationObject,
    configuration_body,
    judge_configuration,
    judge_networks,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.site import SiteObject, WindowObject, judge_site, site_body, utc_offset
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.tunnel import ConfigurationBody, SiteBody, ThresholdBody
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import UsageError
from scripts.docs.error_codes import declarations
from tests.cases import every
from tests.unit.mst_admin.rule_cases import table

CASES = table(__file__, "rules.yaml")
BY_THE_LAB = {
    # Graph has no local networks and time zones, and one list of all advanced settings.
    "corporate-network-invalid": "",
    "session-timeout-twice": "",
    "time-zone-unknown": "",
    "window-zone-missing": "",
    # This rule is the gateway's, which rejects such a value itself.
    "advanced-setting-invalid": "",
    # These values have the wrong type for Graph, so no rule is checked.
    "advanced-setting-malformed": "wrong type",
    "window-time-invalid": "wrong type",
}
"""The lab's code where it differs from that of mst-admin; empty if the lab accepts the value."""
ADDRESSES = {"gw.contoso.com": ["8.8.4.4"], "inside.contoso.com": ["10.1.1.1"]}


def _configuration(values: dict[str, Any]) -> ConfigurationObject:
    count = values.pop("routes", 0)
    if count:
        values["route_includes"] = tuple(f"10.{number // 256}.{number % 256}.0/24" for number in range(count))
    return ConfigurationObject.model_validate({"name": "Main", "network": "169.254.0.0/16", **values})


def _site(values: dict[str, Any]) -> SiteObject:
    base = {"name": "Berlin", "public_address": "gw.contoso.com", "configuration": "Main"}
    return SiteObject.model_validate({**base, **values})


def _threshold(values: dict[str, Any]) -> ThresholdObject:
    return ThresholdObject.model_validate({"metric": "cpuUsage", **values})


def _findings(case: dict[str, Any]) -> Sequence[Finding]:
    if "site" in case:
        return judge_site(_site(case["site"]), lambda name: ADDRESSES.get(name, []))
    if "threshold" in case:
        return judge_threshold(_threshold(case["threshold"]))
    if "configuration" in case:
        return judge_configuration(_configuration(dict(case["configuration"])), case.get("own", ()))
    return list(judge_networks(case["own"]))


@every("case", CASES)
def test_a_value_is_accepted_or_refused(case: dict[str, Any]) -> None:
    findings = _findings(case)
    fatal = {finding.code for finding in findings if finding.fatal}
    assert fatal == ({case["refused"]} if "refused" in case else set())
    assert case.get("refused") or [item.code for item in findings] == case.get("warnings", [])
    assert all(finding.message and finding.hint.endswith(".") for finding in findings)
    assert case.get("says", "") in " ".join(f"{item.message!s} {item.hint!s}" for item in findings)


def test_all_errors_are_reported_at_once() -> None:
    wrong = {
        "network": "10.0.0.0/31",
        "dns_servers": ("10.1.0.53", "dns.contoso.com", "0.0.0.0"),
        "route_includes": ("default", "10.1.0.0/16"),
        "route_excludes": ("255.255.0.0",),
        "listen_port": 0,
        "session_timeout": 0,
        "advanced_settings": {"Idle Timeout": "1", "mtu": "9", "dpd": "30", "compression": "maybe"},
    }
    assert [str(item.message) for item in judge_configuration(_configuration(wrong))] == [
        "network is “10.0.0.0/31”: it is too small",
        "dns_servers is “dns.contoso.com”: it is not the IP address of a server",
        "dns_servers is “0.0.0.0”: it is not the IP address of a server",
        "route_includes is “default”: it includes all traffic, so there must be no other rules",
        "route_excludes is “255.255.0.0”: it is a mask, not a network",
        "listen_port is “0”: it is not a port",
        "advanced_settings.mtu is “9”: it is not a number in the allowed range",
        "advanced_settings.compression is “maybe”: it is neither true nor false",
        "advanced_settings has “Idle Timeout” = “1”: this is not a valid setting",
        "session_timeout is “0”: out of range",
    ]


@every(
    "values",
    [
        {"dns_servers": tuple(f"10.1.0.{number}" for number in range(1, 34))},
        {"split_dns": tuple(f"d{number}.contoso.com" for number in range(501))},
        {"advanced_settings": {f"x{number}": "1" for number in range(101)}},
    ],
)
def test_a_list_longer_than_the_gateway_takes_is_found(values: dict[str, Any]) -> None:
    (finding,) = judge_configuration(_configuration({"network": "169.254.0.0/16", **values}))
    assert finding.fatal
    assert "it is too long" in finding.message


def _site_on_the_wire(declared: SiteObject) -> dict[str, Any]:
    """Return the body of a site, with the times of its window unchanged."""
    window = declared.upgrade_window
    body = site_body(declared.model_copy(update={"upgrade_window": None}), datetime.now(UTC))
    if window is not None:
        body["upgradeWindowStartTime"], body["upgradeWindowEndTime"] = window.start, window.end
        body["upgradeWindowUtcOffsetInMinutes"] = window.utc_offset_minutes
    return body


def _refused_by_the_lab(case: dict[str, Any]) -> str:
    """Return the rule that the lab names in its error about these values; empty if it accepts them."""
    try:
        if "site" in case:
            judge(SiteBody, without_empty(_site_on_the_wire(_site(case["site"]))))
        elif "threshold" in case:
            wish = _threshold(case["threshold"])
            judge(ThresholdBody, {"id": wish.metric, **threshold_body(wish)})
        else:
            judge(ConfigurationBody, configuration_body(_configuration(dict(case.get("configuration", {})))))
    except GraphError as error:
        return error.inner_code or "wrong type"
    return ""


@every("case", CASES)
def test_the_lab_and_mst_admin_refuse_the_same(case: dict[str, Any]) -> None:
    code = next((finding.code for finding in _findings(case) if finding.fatal), "")
    assert code == case.get("refused", "")
    if case.get("warnings") == ["metric-not-known"]:
        code = "metric-not-known"  # only a warning without a tenant, whose metrics are unknown
    assert _refused_by_the_lab(case) == BY_THE_LAB.get(code, code)


def test_what_is_sent_has_no_host_bits() -> None:
    body = configuration_body(_configuration({"network": "10.20.1.0/16", "route_includes": ["10.1.2.3/16"]}))
    assert (body["network"], body["routeIncludes"]) == ("10.20.0.0/16", ["10.1.0.0/16"])


@pytest.mark.parametrize(
    ("zone", "month", "minutes"),
    [
        ("Europe/Berlin", 1, 60),
        ("Europe/Berlin", 7, 120),
        ("America/New_York", 1, -300),
        ("Asia/Kolkata", 7, 330),
    ],
)
def test_the_wire_has_the_offset_of_the_time_zone_at_the_moment(zone: str, month: int, minutes: int) -> None:
    window = WindowObject(start="22:00", end="04:00", time_zone=zone)
    assert utc_offset(window, datetime(2026, month, 15, tzinfo=UTC)) == minutes


def test_every_problem_of_every_file_has_its_place() -> None:
    first = "version: 1\nconfigurations:\n  - name: A\n    netwrok: 10.0.0.0/8\n    listen_port: many\n"
    second = (
        "version: 1\nconfigurations:\n  - {name: B, network: 10.0.0.0}\n"
        "  - {name: b, network: 169.254.0.0/16}\nsites:\n  - name: S\n    public_address: x y\n"
        "    configuration: B\n    upgrade_window: {start: '22:00'}\n"
    )
    third = (
        "version: 1\nconfigurations:\n  - {name: C, network: 10.0.0.0}\n"
        "  - {name: c, network: 169.254.0.0/16}\n"
    )
    with pytest.raises(UsageError) as caught:
        parse_declarations(
            [("1.yaml", first.encode()), ("2.yaml", second.encode()), ("3.yaml", third.encode())]
        )
    assert caught.value.message.splitlines() == [
        "1.yaml:3:5: `configurations.0.network` is missing: add it",
        "1.yaml:4:5: unknown key `configurations.0.netwrok`; did you mean `network`?",
        "1.yaml:5:18: `configurations.0.listen_port` must be a whole number",
        "2.yaml:9:21: `sites.0.upgrade_window.end` is missing: add it",
        "3.yaml:3:24: network is “10.0.0.0”: it is not a network in CIDR form",
        "3.yaml:4:12: `c` is already declared at 3.yaml:3:12: remove one of them",
    ]


ROOT = Path(__file__).parents[3]
FIXTURES = [
    ROOT / "tests/unit/mst_admin/rules.yaml",
    *(ROOT / "tests/unit/mst_admin/profiles").glob("*.yaml"),
    # These rules also depend on the site.
    ROOT / "tests/unit/mst_admin/profiles/test_rules.py",
    *(ROOT / "tests/unit/mst_admin/apps").glob("*.yaml"),
]
OF_A_TENANT = {
    *("name-ambiguous", "profile-not-declarable", "app-config-not-declarable"),
    *("group-ambiguous", "group-unknown", "global-secure-access-beside-tunnel"),
}
"""Codes that a tenant causes; the tests of exports, groups and coexistence cover them."""
OF_OPTIONS = {"setting-malformed"}
"""Codes that only options cause; tests/unit/mst_admin/test_commands.py covers them."""


def test_every_rule_has_a_case() -> None:
    rules = {item.code for item in declarations().values() if isinstance(item.example(), Finding)}
    assert len(rules) > 50
    cases = "".join(path.read_text(encoding="utf-8") for path in FIXTURES)
    tested = {code for code in rules if re.search(rf"\b{code}\b", cases)}
    assert rules - tested - OF_A_TENANT - OF_OPTIONS == set()
