"""The typed methods: paths, bodies, missing objects, malformed responses, and delayed replication."""

import pytest

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import Graph, has_intune
from mstunnel_setup.tenant.wire import (
    INTUNE_PLAN_1,
    DeploymentMode,
    LicenseDetails,
    ServicePlan,
    TunnelServer,
)
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.tenant.fakes import FakeHttp, Reply, fixed_token, jwt, response

SITE = "11111111-1111-1111-1111-111111111111"
SERVER = "22222222-2222-2222-2222-222222222222"
SITES = "https://graph.microsoft.com/beta/deviceManagement/microsoftTunnelSites"
NOT_FOUND = {"error": {"code": "ResourceNotFound", "message": "Not there."}}
NOT_YET = {"error": {"code": "Request_BadRequest", "message": "Does not reference a valid application."}}


def over(*replies: Reply, token: str = "opaque") -> tuple[FakeHttp, FakeClock, Graph]:
    http, clock = FakeHttp(list(replies)), FakeClock()
    return http, clock, Graph(http, cloud("public"), fixed_token(token), clock)


def test_sites_come_with_their_configuration() -> None:
    site = {
        "id": SITE,
        "displayName": "Berlin",
        "microsoftTunnelConfiguration": {"id": "c", "listenPort": 443},
    }
    http, _, graph = over(response(200, {"value": [site]}))

    (found,) = graph.sites()

    assert http.calls[0].url == f"{SITES}?$expand=microsoftTunnelConfiguration&$top=999"
    assert found.microsoft_tunnel_configuration is not None
    assert found.microsoft_tunnel_configuration.listen_port == 443


def test_registration_sends_only_name_and_mode() -> None:
    http, _, graph = over(response(201, {"id": SERVER, "displayName": "gw1"}))

    created = graph.create_server(SITE, "gw1", DeploymentMode.STANDALONE_ROOTLESS)

    assert created.id == SERVER
    assert http.calls[0].url == f"{SITES}/{SITE}/microsoftTunnelServers"
    assert http.calls[0].options["json"] == {"displayName": "gw1", "deploymentMode": "standaloneRootless"}


def test_check_in_sends_only_properties_that_are_set() -> None:
    http, _, graph = over(response(200, {"id": SERVER}))

    graph.update_server(SITE, SERVER, TunnelServer(display_name="gw1"))

    assert (http.calls[0].method, http.calls[0].options["json"]) == (
        "PATCH",
        {"displayName": "gw1"},
    )


def test_missing_objects_are_none() -> None:
    _, _, graph = over(response(404, NOT_FOUND))

    assert graph.site(SITE) is None
    assert graph.server(SITE, SERVER) is None
    assert graph.configuration_of(SITE) is None
    assert graph.application(SERVER) is None
    assert graph.delete_server(SITE, SERVER) is False
    assert graph.delete_application(SERVER) is False


def test_deletion_of_an_object_is_reported() -> None:
    _, _, graph = over(response(204))

    assert graph.delete_server(SITE, SERVER) is True


@pytest.mark.parametrize("identifier", ["", "gw1", f"{SITE}/../..", f"{SITE}\n", f"{SITE}?x", "' or 1 eq 1"])
def test_only_guids_are_used_in_paths(identifier: str) -> None:
    http, _, graph = over(response(200, {}))

    for ask in (graph.site, graph.servers, graph.application, graph.service_principal, graph.grants):
        with refused(TenantError, "id-malformed"):
            ask(identifier)
    assert http.calls == []


def test_malformed_response_is_reported() -> None:
    _, _, graph = over(response(200, {"id": SITE, "upgradeWindowStartTime": "soon"}))

    with refused(TenantError, "answer-unexpected") as caught:
        graph.site(SITE)
    assert "upgradeWindowStartTime" in caught.value.message


def test_service_principal_waits_for_its_application() -> None:
    _, clock, graph = over(response(400, NOT_YET), response(404, NOT_FOUND), response(201, {"id": SERVER}))

    assert graph.create_service_principal(SITE).id == SERVER
    assert clock.naps == [4.0, 4.0]


def test_waiting_for_replication_is_limited() -> None:
    _, clock, graph = over(response(400, NOT_YET))

    with refused(TenantError, "request-refused"):
        graph.grant(SITE, SITE, SITE)
    assert clock.elapsed == 40.0


def test_the_tenant_is_read_from_the_token() -> None:
    http, _, graph = over(token=jwt(tid=SITE))

    assert graph.tenant_id() == SITE
    assert http.calls == []


def test_tenant_of_an_opaque_token_is_read_from_graph() -> None:
    _, _, graph = over(response(200, {"value": [{"id": SITE, "displayName": "Contoso"}]}))

    assert graph.tenant_id() == SITE


def test_tenant_without_graph_is_reported() -> None:
    _, _, graph = over(response(200, {"value": []}))

    with refused(TenantError, "graph-principal-missing"):
        graph.graph_principal()


def plan(name: str = "", plan_id: str = "", status: str | None = "Success") -> ServicePlan:
    return ServicePlan(service_plan_name=name, service_plan_id=plan_id, provisioning_status=status)


@pytest.mark.parametrize(
    ("plans", "licensed"),
    [
        ((), False),
        ((plan("EXCHANGE_S_STANDARD"),), False),
        ((plan("INTUNE_A"),), True),
        ((plan("A new name", INTUNE_PLAN_1),), True),
        ((plan("EXCHANGE_S_STANDARD"), plan("INTUNE_A", status="PendingProvisioning")), True),
        ((plan("INTUNE_A", status=None),), True),
        ((plan("INTUNE_A", status="Disabled"),), False),
        ((plan("INTUNE_O365"),), None),
        ((plan("Intune_Defender"), plan("INTUNE_A", status="Disabled")), None),
        ((plan("INTUNE_EDU", status="Disabled"),), False),
    ],
)
def test_licence_is_unknown_for_unclear_plans(plans: tuple[ServicePlan, ...], licensed: bool | None) -> None:
    assert has_intune([LicenseDetails(service_plans=(item,)) for item in plans]) is licensed
    assert has_intune([LicenseDetails(), LicenseDetails(service_plans=plans)]) is licensed
