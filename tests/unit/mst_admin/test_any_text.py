"""Any text in a declaration gives a finding with a hint, or a body that the lab accepts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mst_admin.kinds.profile import lint
from mst_admin.objects.configuration import (
    ConfigurationObject,
    configuration_body,
    judge_configuration,
    judge_networks,
)
from mst_admin.objects.parts import without_empty
from mst_admin.objects.profile import ProfileObject, ProfilePlatform
from mst_admin.objects.profile_rules import judge_profile
from mst_admin.objects.profile_wire import profile_body
from mst_admin.objects.site import SiteObject, judge_site, site_body
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.tunnel import ConfigurationBody, SiteBody
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration

Model = TypeVar("Model", bound=BaseModel)
ODD = [
    *("http://[", "http://[::1", "https://a:99999/", "http://a:-1", "http://a:\u0663/", "fe80::1%eth0", "*."),
    *("10.0.0.0/8", " 10.0.0.0/8", "::/200", "1.2.3.4/33", "255.255.0.0", " ", "a" * 300),
    *("22:00", "25:00", "\u0661\u0662:\u0660\u0660", "\u00b2"),
]
TEXT = st.sampled_from(ODD) | st.text(max_size=12)
TEXTS = st.lists(TEXT, max_size=3)
SETTINGS = st.sampled_from(["mtu", "idle-timeout", "session-timeout", "compression"]) | TEXT
KEYS = st.sampled_from(["vpn", "VPN", "TunnelOnly", "WebProtection", "AutoOnboard", "defendertoggle"]) | TEXT
CONFIGURATION = {
    **dict.fromkeys(("network", "ipv6_network", "default_domain_suffix"), TEXT),
    **dict.fromkeys(("dns_servers", "split_dns", "route_includes", "route_excludes"), TEXTS),
    **dict.fromkeys(("listen_port", "session_timeout"), st.integers()),
    "advanced_settings": st.dictionaries(SETTINGS, TEXT, max_size=2),
}
WINDOW = st.fixed_dictionaries(
    {"start": TEXT, "end": TEXT}, optional={"time_zone": TEXT, "utc_offset_minutes": st.integers()}
)
SITE = {**dict.fromkeys(("public_address", "internal_network_probe_url"), TEXT), "upgrade_window": WINDOW}
RULE = st.fixed_dictionaries(
    {"action": st.sampled_from(["connect", "evaluate", "ignore"])},
    optional={
        "domain_action": st.sampled_from(["connect-if-needed", "never-connect"]),
        **dict.fromkeys(("domains", "dns_servers", "ssids"), TEXTS),
        **dict.fromkeys(("probe_url", "probe_required_url"), TEXT),
    },
)
PROFILE = {
    "apps": st.lists(st.fixed_dictionaries({"id": TEXT, "name": TEXT}), max_size=2),
    "on_demand_rules": st.lists(RULE, max_size=2),
    "proxy": st.fixed_dictionaries({}, optional={"address": TEXT, "port": st.integers(), "pac_url": TEXT}),
    "custom_settings": st.dictionaries(KEYS, TEXT | st.booleans() | st.integers(0, 3), max_size=3),
    **dict.fromkeys(("proxy_exclusions", "lockdown_exclusions", "safari_domains"), TEXTS),
}


def _object(model: type[Model], valid: dict[str, Any], changes: dict[str, Any]) -> Model:
    try:
        return model.model_validate({"name": "Main", **valid, **changes})
    except ValidationError:
        assume(condition=False)
        raise


def _explained(findings: Sequence[Finding]) -> bool:
    """Check that every finding has message and hint; return whether none is an error."""
    assert all(item.message and item.hint.endswith(".") for item in findings)
    return not any(item.fatal for item in findings)


@given(st.fixed_dictionaries({}, optional=CONFIGURATION), TEXTS)
def test_a_server_configuration(changes: dict[str, Any], own: list[str]) -> None:
    declared = _object(ConfigurationObject, {"network": "169.254.0.0/16"}, changes)
    if _explained(list(judge_networks(own))) and _explained(judge_configuration(declared, own)):
        body = judge(ConfigurationBody, without_empty(configuration_body(declared)))
        assert (body.display_name, body.listen_port) == ("Main", declared.listen_port)


@given(st.fixed_dictionaries({}, optional=SITE), st.lists(st.sampled_from(["8.8.8.8", "::1", "10.0.0.1"])))
def test_a_site(changes: dict[str, Any], found: list[str]) -> None:
    valid = {"public_address": "gw.contoso.com", "configuration": "Main"}
    declared = _object(SiteObject, valid, changes)
    if _explained(judge_site(declared, lambda _name: found)):
        body = judge(SiteBody, without_empty(site_body(declared, datetime.now(UTC))))
        assert (body.display_name, body.public_address) == ("Main", declared.public_address)


@given(st.sampled_from(list(ProfilePlatform)), st.fixed_dictionaries({}, optional=PROFILE))
def test_a_profile_and_what_the_tenant_makes_of_it(
    platform: ProfilePlatform, changes: dict[str, Any]
) -> None:
    valid = {"platform": platform, "connection_name": "Contoso", "site": "Berlin"}
    profile = _object(ProfileObject, valid, changes)
    _explained(judge_profile(profile))
    found = DeviceConfiguration.from_wire(profile_body(profile, "", "gw.contoso.com:443"))
    assert "site-missing" in {item.code for item in lint(found, None, [])}
