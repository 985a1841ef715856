"""Clouds are data: four names, and addresses only for the custom one."""

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.tenant.clouds import cloud
from tests.refusals import refused


@pytest.mark.parametrize(
    ("name", "authority", "graph"),
    [
        ("public", "https://login.microsoftonline.com/t", "https://graph.microsoft.com"),
        ("gcc-high", "https://login.microsoftonline.us/t", "https://graph.microsoft.us"),
        ("dod", "https://login.microsoftonline.us/t", "https://dod-graph.microsoft.us"),
    ],
)
def test_known_clouds(name: str, authority: str, graph: str) -> None:
    found = cloud(name)

    assert (found.authority_of("t"), found.graph) == (authority, graph)
    assert found.gateway_audience == "3678c9e9-9681-447a-974d-d19f668fcd88"


@pytest.mark.parametrize(
    ("authority", "tenant", "expected"),
    [
        ("https://lab.example:8443/t1", "organizations", "https://lab.example:8443/t1"),
        ("https://lab.example:8443/t1", "", "https://lab.example:8443/t1"),
        ("https://lab.example:8443/t1/", "t2", "https://lab.example:8443/t2"),
        ("https://lab.example:8443", "organizations", "https://lab.example:8443/organizations"),
        ("https://lab.example:8443", "", "https://lab.example:8443/organizations"),
    ],
)
def test_custom_authority_may_contain_the_tenant(authority: str, tenant: str, expected: str) -> None:
    custom = cloud("custom", authority, "https://lab.example:8443/")

    assert custom.authority_of(tenant) == expected
    assert custom.graph == "https://lab.example:8443"


def test_the_consent_page_names_tenant_and_application() -> None:
    address = cloud("public").consent_address("t1", "app1")

    assert address == "https://login.microsoftonline.com/t1/adminconsent?client_id=app1"


@pytest.mark.parametrize(
    ("name", "authority", "graph", "code"),
    [
        ("mars", None, None, "cloud-unknown"),
        ("public", "https://other.example", None, "cloud-fixed"),
        ("custom", None, "https://graph.example", "cloud-incomplete"),
        ("custom", "https://login.example", None, "cloud-incomplete"),
        ("custom", "http://login.example", "https://graph.example", "cloud-address"),
        ("custom", "https://u:p@login.example", "https://graph.example", "cloud-address"),
        ("custom", "https://login.example", "https://graph.example?x=1", "cloud-address"),
        ("custom", "https://", "https://graph.example", "cloud-address"),
        ("custom", "https://[fd00::1/", "https://graph.example", "cloud-address"),
        ("custom", "https://login.example:99999", "https://graph.example", "cloud-address"),
        ("custom", "https://login.example", "https://graph.example]", "cloud-address"),
    ],
)
def test_invalid_addresses_are_refused(
    name: str, authority: str | None, graph: str | None, code: str
) -> None:
    with refused(UsageError, code) as caught:
        cloud(name, authority, graph)
    assert caught.value.hint
