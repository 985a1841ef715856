"""Step `register`: names that are this machine's own, and files that refer to what the tenant will answer."""

import pytest

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import WriteJson
from mstunnel_setup.engine.values import JsonObject, resolve
from mstunnel_setup.errors import TenantError
from mstunnel_setup.steps import register
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.tenant.wire import DeploymentMode
from mstunnel_setup.tls.actions import CreateAgentCredential
from tests.unit.steps.worlds import BERLIN, Scene


@pytest.fixture(autouse=True)
def joined(scene: Scene) -> None:
    scene.remember("joined-site", {"id": BERLIN.id, "name": "Berlin", "public_address": "vpn.example.org"})


def test_the_name_is_the_answer_or_else_the_host_name(scene: Scene) -> None:
    assert register.STEP.gather(scene.context()).server_name == "gw1"
    assert register.STEP.gather(scene.context(server_name="gateway 7")).server_name == "gateway 7"


def test_two_machines_of_one_name_have_two_applications(scene: Scene) -> None:
    scene.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    one = register.STEP.gather(scene.context()).application_name
    assert register.STEP.gather(scene.context()).application_name == one
    scene.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
    other = register.STEP.gather(scene.context()).application_name
    assert one != other
    assert one.startswith("mstunnel-gateway gw1 ")


def test_the_machine_id_itself_stays_here(scene: Scene) -> None:
    scene.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    assert "01234567" not in register.STEP.gather(scene.context()).application_name


@pytest.mark.parametrize(
    ("mode", "sent"),
    [("rootful", DeploymentMode.STANDALONE_ROOTFUL), ("rootless", DeploymentMode.STANDALONE_ROOTLESS)],
)
def test_the_tenant_learns_how_the_containers_run(scene: Scene, mode: str, sent: DeploymentMode) -> None:
    assert register.STEP.gather(scene.context(mode=mode)).deployment_mode is sent


def test_before_a_site_is_chosen_nothing_can_be_registered(scene: Scene) -> None:
    scene.journal.remove()
    with pytest.raises(TenantError) as caught:
        register.STEP.gather(scene.context())
    assert caught.value.code == "site-missing"


def test_credential_then_application_then_server_then_what_says_so(scene: Scene) -> None:
    actions = register.STEP.decide(register.STEP.gather(scene.context()))
    kinds = [type(action) for action in actions]
    assert kinds == [CreateAgentCredential, CreateAppIdentity, RegisterServer, WriteJson, WriteJson]
    assert [action.key for action in actions[3:]] == [
        f"file:{paths.AGENT_INFO}",
        f"file:{paths.AGENT_SETTINGS}",
    ]


def test_the_files_say_what_the_tenant_answered(scene: Scene) -> None:
    credential, application, server, info, settings = register.STEP.decide(
        register.STEP.gather(scene.context())
    )
    outputs: dict[str, JsonObject] = {
        credential.key: {"not_after": "2027-06-01T12:00:00+00:00"},
        application.key: {"app_id": "app", "tenant_id": "tenant"},
        server.key: {"server_id": "server"},
    }
    assert isinstance(info, WriteJson)
    assert isinstance(settings, WriteJson)
    assert resolve(info.value, outputs) == {
        "AgentId": "app",
        "AADTenantId": "tenant",
        "IntuneTenantId": "tenant",
        "RenewalDate": "2027-06-01T12:00:00+00:00",
        "Authority": "https://login.microsoftonline.com",
        "Graph": "https://graph.microsoft.com",
        "Cloud": "public",
        "Authentication": "oidc",
    }
    assert resolve(settings.value, outputs) == {"SiteId": BERLIN.id, "ServerId": "server"}


def test_a_long_name_fits_into_the_certificate(scene: Scene) -> None:
    """RFC 5280: a common name has at most 64 characters."""
    facts = register.STEP.gather(scene.context(server_name="g" * 200))
    credential = register.STEP.decide(facts)[0]
    assert isinstance(credential, CreateAgentCredential)
    assert len(credential.common_name) == 64
