"""The rules of VPN profiles and of proxy exclusion lists, as cases."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mst_admin.kinds.profile import lint
from mst_admin.objects.parts import targets
from mst_admin.objects.profile import ProfileObject, TrustedRootObject
from mst_admin.objects.profile_rules import judge_profile, judge_root
from mst_admin.objects.profile_wire import profile_body, profile_object, server_address
from mst_admin.objects.proxy_exclusions import judge_exclusions, read_csv, write_csv
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment
from tests.cases import every
from tests.unit.mst_admin.rule_cases import GROUP, PROFILE, check_codes, table

CASES = table(__file__, "rules.yaml")
FOUND = table(__file__, "lint.yaml")
ENTRIES = table(__file__, "exclusions.yaml")
BASE = {**PROFILE, "groups": [GROUP]}
PLATFORMS: dict[str, dict[str, Any]] = {
    "android": {"platform": "android-work-profile"},
    "owner": {"platform": "android-device-owner"},
    "ios": {"platform": "ios", "on_demand_rules": [{"action": "connect"}]},
}
SITE_ID = "99999999-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ({}, []),
        ({"groups": BASE["groups"]}, []),
        ({"name": "Tunnel (trusted root)"}, ["trusted-root-name"]),
        ({"groups": BASE["groups"], "excluded_groups": BASE["groups"]}, ["group-both-ways"]),
    ],
)
def test_a_trusted_root_is_judged(keys: dict[str, Any], codes: list[str]) -> None:
    values = {"name": "Contoso root", "platform": "ios", "certificate": "/root.pem", **keys}
    assert [item.code for item in judge_root(TrustedRootObject.model_validate(values))] == codes


def _profile(case: dict[str, Any]) -> ProfileObject:
    values = {**BASE, **PLATFORMS[case["on"]], **case.get("with", {})}
    for key, count in case.get("many", {}).items():
        values[key] = list(_repeated(values[key], count))
        if isinstance(case["with"][key], dict):
            values[key] = dict(values[key])
    return ProfileObject.model_validate(values)


def _repeated(entries: Any, count: int) -> Iterator[Any]:
    """Return copies of one entry, with different names if it has a name."""
    (entry,) = entries.items() if isinstance(entries, dict) else entries
    for number in range(count):
        if isinstance(entry, tuple):
            yield f"{entry[0]}{number}", entry[1]
        else:
            yield {**entry, **({"id": f"{entry['id']}{number}"} if "id" in entry else {})}


@every("case", CASES)
def test_a_profile_is_judged(case: dict[str, Any]) -> None:
    check_codes(case, judge_profile(_profile(case)))


@every("case", [case for case in CASES if "refused" not in case])
def test_a_profile_comes_back_from_the_wire_as_it_went(case: dict[str, Any]) -> None:
    profile = _profile(case)
    found = DeviceConfiguration.from_wire(profile_body(profile, SITE_ID, "gw.contoso.com:443"))
    assigned = [DeviceConfigurationAssignment.from_wire({"target": item}) for item in targets(profile)]
    not_on_the_wire = {"site", "eu_data_boundary", "trusted_root"}
    sent = profile.model_dump(mode="json", exclude=not_on_the_wire)
    for rule in sent["on_demand_rules"]:
        rule["action"] = rule["action"].replace("establish", "connect")
    back = profile_object(found, assigned).model_dump(mode="json", exclude=not_on_the_wire, warnings=False)
    assert back == sent


@every("case", FOUND)
def test_a_profile_of_the_tenant_is_judged(case: dict[str, Any]) -> None:
    profile = _profile(case)
    wire = {**profile_body(profile, SITE_ID, "gw.contoso.com:443"), **case.get("wire", {})}
    assigned = [] if "assignments" in case else list(targets(profile))
    sites = {
        "none": None,
        "moved": TunnelSite(id=SITE_ID, public_address="new.contoso.com"),
        "": TunnelSite(id=SITE_ID, public_address="gw.contoso.com"),
    }
    findings = list(
        lint(
            DeviceConfiguration.from_wire(wire),
            sites[case.get("site", "")],
            [DeviceConfigurationAssignment.from_wire({"target": item}) for item in assigned],
        )
    )
    assert [item.code for item in findings if item.fatal] == case["refused"]
    assert [item.code for item in findings if not item.fatal] == case.get("codes", [])


def test_the_types_and_values_are_those_that_devices_take() -> None:
    android = profile_body(
        _profile({"on": "android", "with": {"custom_settings": {"vpn": 0}}}), SITE_ID, "gw.contoso.com:8443"
    )
    assert (android["connectionType"], android["authenticationMethod"]) == ("microsoftProtect", "azureAD")
    assert android["servers"][0]["address"] == "gw.contoso.com:8443"
    assert server_address("2001:db8::1", 8443) == "[2001:db8::1]:8443"
    assert android["customData"] == [
        {"key": "MicrosoftDefenderAppSettings", "value": None},
        {"key": "vpn", "value": "0"},
    ]
    ios = profile_body(
        _profile({"on": "ios", "with": {"custom_settings": {"AutoOnboard": True}}}),
        SITE_ID,
        "gw.contoso.com:443",
    )
    assert (ios["connectionType"], ios["authenticationMethod"]) == ("microsoftTunnel", "usernameAndPassword")
    assert ios["customData"][1] == {"key": "AutoOnboard", "value": "True"}


@pytest.mark.parametrize("on", [True, False])
def test_web_protection_is_switched_by_its_setting(on: bool) -> None:
    profile = _profile({"on": "ios", "with": {"custom_settings": {"WebProtection": on}}})
    body = profile_body(profile, SITE_ID, "gw.contoso.com:443")
    assert {"key": "WebProtection", "value": str(on)} in body["customData"]


@every("case", ENTRIES)
def test_an_exclusion_is_accepted_or_refused(case: dict[str, Any]) -> None:
    findings = list(judge_exclusions([case["entry"]]))
    assert [item.code for item in findings] == ([case["refused"]] if "refused" in case else [])
    assert case.get("says", "") in "".join(item.message for item in findings)


def test_exclusions_are_read_with_or_without_csv_header() -> None:
    assert read_csv("\ufeffURL\r\na.contoso.com\r\n*.b.contoso.com,10.1.1.1\r\n\r\n") == (
        "a.contoso.com",
        "*.b.contoso.com",
        "10.1.1.1",
    )
    assert read_csv("url;note\r\na.contoso.com;*.b.contoso.com\r\n") == ("a.contoso.com", "*.b.contoso.com")
    assert read_csv("a.contoso.com\n") == ("a.contoso.com",)
    assert [item.code for item in judge_exclusions(["a.contoso.com", "A.contoso.com"])] == [
        "exclusion-repeated"
    ]


@given(st.lists(st.from_regex(r"(\*\.)?[a-z]{1,10}(\.[a-z]{1,10}){1,3}", fullmatch=True)))
def test_what_is_exported_is_imported_again(entries: list[str]) -> None:
    assert read_csv(write_csv(entries)) == tuple(entries)


@pytest.mark.parametrize(
    ("on", "keys", "split_rules", "said"),
    [
        ("android", {}, False, True),
        ("owner", {"always_on": True}, False, True),
        ("android", {"always_on": True, "lockdown": True}, False, False),
        ("android", {}, True, False),
        ("android", {}, None, False),
        ("ios", {}, False, False),
    ],
)
def test_ipv6_leak_is_reported_where_profile_can_block_it(
    on: str, keys: dict[str, Any], split_rules: bool | None, said: bool
) -> None:
    found = judge_profile(_profile({"on": on, "with": keys}), split_rules=split_rules)
    assert ("ipv6-beside-tunnel" in {item.code for item in found}) == said
