"""Each file in `configurations` is a case: a configuration from Graph and the expected result.

`error` lists words of the message and hint; `has` are lines of ocserv.conf, `lacks` what none starts
with, `count` how many lines a key has.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mstunnel_setup.base.errors import ExitCode, TenantError
from mstunnel_setup.gateway.configuration import ServerConfiguration, refusals
from mstunnel_setup.gateway.ocserv_conf import debug_level, ocserv_conf
from mstunnel_setup.gateway.options import Authentication, GatewayOptions
from mstunnel_setup.gateway.rendering import admin_settings
from tests.cases import every
from tests.refusals import refused

CASES = {
    path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("configurations/*.json")
}
SERVED = {name: case for name, case in CASES.items() if "error" not in case}
REFUSED = {name: case for name, case in CASES.items() if "error" in case}


def options(case: dict[str, Any]) -> GatewayOptions:
    return GatewayOptions(
        authentication=Authentication(case.get("authentication", "oidc")),
        certificate_too=case.get("certificate_too", False),
        revocation_list=case.get("revocation_list", False),
    )


@every("case", SERVED.values())
def test_a_configuration_that_can_be_served(case: dict[str, Any]) -> None:
    configuration = ServerConfiguration.from_wire(case["wire"])
    lines = ocserv_conf(configuration, options(case), debug_level(case.get("debug_level", ""))).splitlines()

    assert set(case.get("has", [])) <= set(lines)
    assert not [line for line in lines if line.startswith(tuple(case.get("lacks", [])))]
    for key, count in case.get("count", {}).items():
        assert len([line for line in lines if line.startswith(f"{key} = ")]) == count
    assert [warning.code for warning in configuration.warnings] == case.get("warnings", [])
    if "admin_settings" in case:
        assert admin_settings(configuration) == case["admin_settings"]


@every("case", REFUSED.values())
def test_a_configuration_that_cannot_be_served(case: dict[str, Any]) -> None:
    with pytest.raises(TenantError) as caught:
        ServerConfiguration.from_wire(case["wire"])

    error = caught.value
    assert (error.code, error.exit_code) == ("configuration-invalid", ExitCode.TENANT)
    for words in case["error"]:
        assert words in f"{error.message!s} {error.hint!s}"
    assert error.message.isprintable()
    assert error.hint.isprintable()


def test_the_hint_leads_to_the_setting_in_the_admin_center() -> None:
    with pytest.raises(TenantError) as caught:
        ServerConfiguration.from_wire({"network": "10.0.0.0/8", "routeIncludes": ["255.255.0.0"]})

    assert caught.value.hint == (
        "In the admin center, under Tenant administration > Microsoft Tunnel Gateway > "
        "Server configurations, change “IP ranges to include”: "
        "write address/prefix length, such as 10.1.0.0/16."
    )


@every("field", ["routeIncludes", "routesInclude", "routeExcludes", "dnsServers", "splitDNS"])
def test_too_many_entries_are_refused_unread(field: str) -> None:
    with refused(TenantError, "configuration-invalid", match="60000 entries"):
        ServerConfiguration.from_wire({"network": "10.0.0.0/8", field: ["x"] * 60_000})


@every("value", [{"name": "mtu"}, {"name": "mtu", "value": None}, {"name": "compression", "value": ""}])
def test_a_setting_without_a_value_is_refused(value: dict[str, str | None]) -> None:
    with refused(TenantError, "configuration-invalid", match=str(value["name"])):
        ServerConfiguration.from_wire({"network": "10.0.0.0/8", "advancedSettings": [value]})


def test_names_of_python_are_no_properties() -> None:
    plain = {"network": "10.0.0.0/8"}
    python = {"listen_port": 1, "routes_include": ["10.1.0.0/16"], "disable_udp": True, "settings": ["x"]}
    assert ServerConfiguration.from_wire({**plain, **python}) == ServerConfiguration.from_wire(plain)


def test_all_errors_are_reported_at_once() -> None:
    document = {"network": "10.0.0.0/31", "routeIncludes": ["a", "10.1.0.0/16", 5], "listenPort": True}
    with pytest.raises(ValidationError) as caught:
        ServerConfiguration.model_validate(document)

    assert [(item.path, item.value, str(item.reason)) for item in refusals(caught.value)] == [
        (("network",), "10.0.0.0/31", "it is too small"),
        (("routeIncludes", 0), "a", "it is not a network in CIDR form"),
        (("routeIncludes", 2), 5, "it is not a text"),
        (("listenPort",), True, "it is not a port"),
    ]
