"""The typed methods: paths, bodies, what is absent, what is malformed, what has not yet spread."""

import pytest

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import Graph, has_intune
from mstunnel_setup.tenant.wire import (
    INTUNE_PLAN_1,
    DeploymentMode,
    LabHealth,
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


def test_registering_sends_name_and_mode_only() -> None:
    http, _, graph = over(response(201, {"id": SERVER, "displayName": "gw1"}))

    created = graph.create_server(SITE, "gw1", DeploymentMode.STANDALONE_ROOTLESS)

    assert created.id == SERVER
    assert http.calls[0].url == f"{SITES}/{SITE}/microsoftTunnelServers"
    assert http.calls[0].options["json"] == {"displayName": "gw1", "deploymentMode": "standaloneRootless"}


def test_a_check_in_sends_what_was_set_only() -> None:
    http, _, graph = over(response(200, {"id": SERVER}))

    graph.update_server(SITE, SERVER, TunnelServer(lab_health=LabHealth(metrics={"cpu": 5})))

    assert (http.calls[0].method, http.calls[0].options["json"]) == (
        "PATCH",
        {"labHealth": {"metrics": {"cpu": 5}}},
    )


def test_what_is_not_there_is_none() -> None:
    _, _, graph = over(response(404, NOT_FOUND))

    assert graph.site(SITE) is None
    assert graph.server(SITE, SERVER) is None
    assert graph.configuration_of(SITE) is None
    assert graph.application(SERVER) is None
    assert graph.delete_server(SITE, SERVER) is False
    assert graph.delete_application(SERVER) is False


def test_deleted_objects_are_reported() -> None:
    _, _, graph = over(response(204))

    assert graph.delete_server(SITE, SERVER) is True


@pytest.mark.parametrize("identifier", ["", "gw1", f"{SITE}/../..", f"{SITE}\n", f"{SITE}?x", "' or 1 eq 1"])
def test_nothing_but_a_guid_becomes_part_of_a_path(identifier: str) -> None:
    http, _, graph = over(response(200, {}))

    for ask in (graph.site, graph.servers, graph.application, graph.service_principal, graph.grants):
        with refused(TenantError, "id-malformed"):
            ask(identifier)
    assert http.calls == []


def test_an_answer_that_cannot_be_read_is_named() -> None:
    _, _, graph = over(response(200, {"id": SITE, "upgradeWindowStartTime": "soon"}))

    with refused(TenantError, "answer-unexpected") as caught:
        graph.site(SITE)
    assert "upgradeWindowStartTime" in caught.value.message


def test_a_service_principal_waits_until_its_application_is_known_everywhere() -> None:
    _, clock, graph = over(response(400, NOT_YET), response(404, NOT_FOUND), response(201, {"id": SERVER}))

    assert graph.create_service_principal(SITE).id == SERVER
    assert clock.naps == [4.0, 4.0]


def test_waiting_for_replication_has_an_end() -> None:
    _, clock, graph = over(response(400, NOT_YET))

    with refused(TenantError, "request-refused"):
        graph.grant(SITE, SITE, SITE)
    assert clock.elapsed == 40.0


def test_the_tenant_is_read_from_the_token() -> None:
    http, _, graph = over(token=jwt(tid=SITE))

    assert graph.tenant_id() == SITE
    assert http.calls == []


def test_the_tenant_is_asked_of_graph_when_the_token_is_opaque() -> None:
    _, _, graph = over(response(200, {"value": [{"id": SITE, "displayName": "Contoso"}]}))

    assert graph.tenant_id() == SITE


def test_a_tenant_without_graph_is_named() -> None:
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
def test_only_what_is_clear_is_yes_or_no(plans: tuple[ServicePlan, ...], licensed: bool | None) -> None:
    assert has_intune([LicenseDetails(service_plans=(item,)) for item in plans]) is licensed
    assert has_intune([LicenseDetails(), LicenseDetails(service_plans=plans)]) is licensed
