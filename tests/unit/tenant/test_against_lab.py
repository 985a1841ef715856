"""The real MSAL and the real actions against a running lab tenant."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.engine.action import Action, Codec, Undo, UndoRecord
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import SignInError, TenantError, WaitingError
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.host.http_port import HttpPort
from mstunnel_setup.lab import remote
from mstunnel_setup.tenant.actions import (
    CreateAppIdentity,
    RegisterServer,
    RemoveServerRecord,
    require_free_name,
)
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.credential import ClientSecret, read_credential
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.secret import CreateAgentSecret
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import AccessToken
from mstunnel_setup.tenant.wire import (
    DeploymentMode,
    HealthStatus,
    LabHealth,
    TunnelServer,
)
from tests.unit.running_lab import running_lab
from tests.unit.tenant.credentials import rsa_key, write_pfx

CREDENTIAL = "/agent.p12"


@dataclass
class Lab:
    """A running lab; signs people in once each."""

    directory: Path
    facts: dict[str, Any]
    http: HttpSession
    people: dict[str, AccessToken] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return cloud("custom", self.facts["authority"], self.facts["graph"])

    def sign_in(self, client_id: str | None = None) -> SignIn:
        return SignIn(
            self.http, SystemClock(), self.cloud, "organizations", client_id or self.facts["client_id"]
        )

    def person(self, name: str) -> AccessToken:
        def approve(code: DeviceCode) -> None:
            remote.approve(self.directory, code.code, f"{name}@contoso.example")

        if name not in self.people:
            self.people[name] = self.sign_in().device_code(approve)
        return self.people[name]

    def graph(self, name: str = "admin", http: HttpPort | None = None) -> Graph:
        return Graph(http or self.http, self.cloud, self.person(name), SystemClock())


@dataclass
class World:
    """What the actions get to see."""

    files: Files
    graph: Graph
    state_directory: str = "/state"
    clock: SystemClock = field(default_factory=SystemClock)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Mortal:
    """An HTTP port that is killed at a given request, which is delivered but whose answer is never seen.

    A death just before a request leaves the same world as a death just after the one before it.
    """

    inner: HttpSession
    left: int

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self.inner.request(method, url, **options)
        self.left -= 1
        if self.left == 0:
            raise Killed
        return answer

    def get(self, url: str, params: Mapping[str, str] | None = None, **options: Any) -> Any:
        return self.request("GET", url, params=params, **options)

    def post(self, url: str, params: Mapping[str, str] | None = None, **options: Any) -> Any:
        return self.request("POST", url, params=params, **options)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("lab")
    with running_lab(directory) as facts:
        http = HttpSession(SystemClock(), facts["ca_file"])
        yield Lab(directory, facts, http)
        http.close()


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    write_pfx(tmp_path / "agent.p12")
    return World(Files(tmp_path), lab.graph())


@pytest.fixture
def site_id(lab: Lab) -> str:
    return lab.graph().sites()[0].id


def identity(name: str) -> CreateAppIdentity:
    return CreateAppIdentity(display_name=name, credential_path=CREDENTIAL)


def server(site_id: str, name: str) -> RegisterServer:
    return RegisterServer(
        site_id=site_id, server_name=name, deployment_mode=DeploymentMode.STANDALONE_ROOTFUL
    )


def begin(action: Action[Any], world: World) -> Callable[[JsonObject | None], UndoRecord[Any]]:
    """Capture, and return what makes the record that undo gets."""
    before = action.capture(world)
    return lambda outputs: UndoRecord(before, [action], {action.key: outputs} if outputs else {})


def test_a_person_sees_the_sites_with_their_configuration(lab: Lab) -> None:
    sites = lab.graph().sites()

    assert {site.display_name for site in sites} == {"Berlin", "Osaka"}
    assert all(site.microsoft_tunnel_configuration for site in sites)
    configuration = lab.graph().configuration_of(sites[0].id)
    assert configuration is not None
    assert configuration.id == getattr(sites[0].microsoft_tunnel_configuration, "id", None)


def test_a_person_without_the_role_is_turned_away_at_sign_in(lab: Lab) -> None:
    with pytest.raises(SignInError) as caught:
        lab.person("reader")

    assert caught.value.code == "role-missing"


def test_an_unknown_client_is_named(lab: Lab) -> None:
    sign_in = lab.sign_in("99999999-9999-9999-9999-999999999999")

    with pytest.raises(SignInError) as caught:
        sign_in.device_code(lambda _code: None)

    assert caught.value.code == "application-unknown"


def test_the_agents_identity_is_made_once_works_and_goes(world: World, lab: Lab, site_id: str) -> None:
    make = identity("agent of gw1")
    register = server(site_id, "gw1")
    make_record, register_record = begin(make, world), begin(register, world)

    outputs = {make.key: make.apply(world, {}), register.key: register.apply(world, {})}
    assert make.apply(world, outputs) == outputs[make.key]
    assert make.apply(world, {}) == outputs[make.key]
    assert register.apply(world, {}) == outputs[register.key]
    assert make.satisfied(world, outputs)
    assert register.satisfied(world, outputs)

    agent = _agent(lab, world, outputs[make.key])
    _check_in(agent, site_id, str(outputs[register.key]["server_id"]))
    assert make.satisfied(World(world.files, agent), outputs)
    assert register.satisfied(World(world.files, agent), outputs)

    assert register.undo(world, register_record(outputs[register.key])).outcome is Undo.REMOVED
    assert make.undo(world, make_record(outputs[make.key])).outcome is Undo.REMOVED
    assert not make.satisfied(world, outputs)
    assert not register.satisfied(world, outputs)
    assert register.undo(world, register_record(outputs[register.key])).outcome is Undo.ABSENT
    assert make.undo(world, make_record(outputs[make.key])).outcome is Undo.ABSENT


def _agent(lab: Lab, world: World, made: JsonObject) -> Graph:
    app_id = str(made["app_id"])
    sign_in = SignIn(lab.http, SystemClock(), lab.cloud, str(made["tenant_id"]), app_id)
    source = sign_in.certificate(read_credential(world.files, CREDENTIAL))
    return Graph(lab.http, lab.cloud, source, SystemClock(), signed_in_as=app_id)


def _check_in(agent: Graph, site_id: str, server_id: str) -> None:
    agent.update_server(site_id, server_id, TunnelServer(lab_health=LabHealth(status=HealthStatus.HEALTHY)))
    seen = agent.server(site_id, server_id)
    assert seen is not None
    assert seen.tunnel_server_health_status is HealthStatus.HEALTHY
    assert seen.last_checkin_date_time is not None


def test_killed_at_any_request_there_is_one_application_in_the_end(
    world: World, lab: Lab, site_id: str
) -> None:
    deaths = 0
    while True:
        name = f"agent {deaths}"
        actions = [identity(name), server(site_id, name)]
        records = [begin(action, world) for action in actions]
        mortal = World(world.files, lab.graph(http=Mortal(lab.http, deaths + 1)))
        try:
            for action in actions:
                action.apply(mortal, {})
        except Killed:
            deaths += 1
        else:
            break
        finally:
            outputs = [action.apply(world, {}) for action in actions]
            _exactly_one(world.graph, site_id, name, outputs)
            for action, record in zip(actions, records, strict=True):
                assert action.undo(world, record(None)).outcome is Undo.REMOVED
    assert deaths >= 8


def _exactly_one(graph: Graph, site_id: str, name: str, outputs: list[JsonObject]) -> None:
    (application,) = graph.find_applications(name)
    assert application.id == outputs[0]["application_object_id"]
    assert len(application.key_credentials) == 1
    assert len(graph.grants(str(outputs[0]["service_principal_id"]))) == 1
    assert [item.id for item in graph.servers(site_id) if item.display_name == name] == [
        outputs[1]["server_id"]
    ]


def test_killed_at_any_request_there_is_one_secret_and_it_signs_in(world: World, lab: Lab) -> None:
    deaths = 0
    while True:
        make = CreateAppIdentity(display_name=f"agent with a secret {deaths}", credential_path="")
        secret = CreateAgentSecret(path="/agent-secret", application=make.key, days=30)
        records = [begin(action, world) for action in (make, secret)]
        mortal = World(world.files, lab.graph(http=Mortal(lab.http, deaths + 1)))
        try:
            secret.apply(mortal, {make.key: make.apply(mortal, {})})
        except Killed:
            deaths += 1
        else:
            break
        finally:
            outputs = {make.key: make.apply(world, {})}
            assert not secret.satisfied(world, outputs)
            outputs[secret.key] = secret.apply(world, outputs)
            assert secret.satisfied(world, outputs)
            assert make.satisfied(world, outputs)
            _signs_in_with_its_only_secret(world, lab, outputs[make.key], outputs[secret.key])
            for action, record in zip((secret, make), reversed(records), strict=True):
                assert action.undo(world, record(None)).outcome is Undo.REMOVED
    assert deaths >= 8


def _signs_in_with_its_only_secret(world: World, lab: Lab, made: JsonObject, secret: JsonObject) -> None:
    application = world.graph.application(str(made["application_object_id"]))
    assert application is not None
    assert [item.key_id for item in application.password_credentials] == [secret["key_id"]]
    assert world.files.locate("/agent-secret").stat().st_mode & 0o777 == 0o600
    text = (world.files.read("/agent-secret") or b"").decode()
    assert text not in json.dumps([made, secret])
    sign_in = SignIn(lab.http, SystemClock(), lab.cloud, str(made["tenant_id"]), str(made["app_id"]))
    assert sign_in.application(ClientSecret(text)).token()


def test_a_new_credential_replaces_the_old_one(world: World, lab: Lab, tmp_path: Path) -> None:
    make = identity("agent renewed")
    record = begin(make, world)
    outputs = {make.key: make.apply(world, {})}
    write_pfx(tmp_path / "agent.p12", rsa_key(1))

    assert not make.satisfied(world, outputs)
    assert make.apply(world, outputs) == outputs[make.key]
    assert make.satisfied(world, outputs)
    assert _agent(lab, world, outputs[make.key]).sites()
    make.undo(world, record(outputs[make.key]))


def test_names_that_are_taken_are_refused_before_anything_is_done(
    world: World, lab: Lab, site_id: str
) -> None:
    make, register = identity("agent taken"), server(site_id, "taken")
    records = [begin(make, world), begin(register, world)]
    outputs = [make.apply(world, {}), register.apply(world, {})]

    with pytest.raises(TenantError) as caught:
        require_free_name(world.graph, site_id, "TAKEN")
    assert caught.value.code == "server-record-left"
    assert "mst-admin server delete TAKEN" in caught.value.hint
    assert "left_record: remove" in caught.value.hint
    checked_in = TunnelServer(lab_health=LabHealth(status=HealthStatus.HEALTHY))
    _agent(lab, world, outputs[0]).update_server(site_id, str(outputs[1]["server_id"]), checked_in)
    with pytest.raises(TenantError) as caught:
        require_free_name(world.graph, site_id, "TAKEN")
    assert caught.value.code == "server-name-taken"
    with pytest.raises(TenantError) as caught:
        make.capture(world)
    assert caught.value.code == "application-name-taken"

    make.undo(world, records[0](outputs[0]))
    register.undo(world, records[1](outputs[1]))


def test_a_record_left_behind_makes_room(world: World, site_id: str) -> None:
    register = server(site_id, "left")
    left = world.graph.create_server(site_id, "left", DeploymentMode.STANDALONE_ROOTFUL).id
    require_free_name(world.graph, site_id, "left", removable=True)
    removal = RemoveServerRecord(site_id=site_id, server_id=left, server_name="left")
    assert not removal.satisfied(world, {})
    record = begin(removal, world)
    for _ in range(2):
        removal.apply(world, {})
    assert removal.satisfied(world, {})
    assert removal.undo(world, record({})).outcome is Undo.ABSENT
    made = begin(register, world)
    outputs = register.apply(world, {})
    assert outputs["server_id"] != left
    register.undo(world, made(outputs))


def test_who_may_not_grant_waits_for_an_administrators_consent(world: World, lab: Lab) -> None:
    make = identity("agent without consent")
    record = begin(make, world)
    limited = World(world.files, lab.graph("intune"))

    with pytest.raises(WaitingError) as caught:
        make.apply(limited, {})
    assert caught.value.code == "admin-consent-needed"
    assert f"{lab.facts['authority']}/adminconsent?client_id=" in caught.value.hint

    _consent(world.graph, "agent without consent")
    outputs = make.apply(limited, {})
    assert make.undo(limited, record(outputs)).outcome is Undo.REMOVED


def _consent(graph: Graph, name: str) -> None:
    """Do what Entra does when an administrator accepts on the consent page: grant what is declared."""
    (application,) = graph.find_applications(name)
    principal = graph.service_principal(application.app_id)
    resource = graph.graph_principal()
    wire: dict[str, Any] = application.to_wire()
    (declared,) = wire["requiredResourceAccess"]
    assert declared["resourceAppId"] == resource.app_id
    assert principal is not None
    for access in declared["resourceAccess"]:
        graph.grant(principal.id, resource.id, access["id"])


def test_an_account_without_a_licence_is_reported(world: World, lab: Lab, site_id: str) -> None:
    with pytest.raises(SignInError, match="licence") as caught:
        server(site_id, "gw9").apply(World(world.files, lab.graph("unlicensed")), {})

    assert caught.value.code == "licence-missing"
    assert "licence" in caught.value.hint


def test_a_site_that_was_deleted_meanwhile_is_named(world: World) -> None:
    gone = "00000000-1111-2222-3333-444444444444"
    with pytest.raises(TenantError) as caught:
        server(gone, "gw9").apply(world, {})

    assert caught.value.code == "site-deleted"
    assert gone in caught.value.message


def test_actions_survive_the_journal(site_id: str) -> None:
    codec = Codec([CreateAppIdentity, RegisterServer])

    for action in (identity("agent"), server(site_id, "gw1")):
        assert codec.load(json.loads(json.dumps(codec.dump(action)))) == action
