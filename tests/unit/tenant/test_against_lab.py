"""The real MSAL and the real actions against a running lab tenant."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_lab import remote
from mstunnel_setup.actions.agent_sign_in import CreateAgentSecret
from mstunnel_setup.actions.tenant_objects import (
    CreateAppIdentity,
    RegisterServer,
    RemoveApplication,
    RemoveServerRecord,
    require_free_name,
)
from mstunnel_setup.base.errors import SignInError, TenantError, WaitingError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.tenant.client_credential import ClientSecret, read_credential
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.graph import Graph, has_intune
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import TokenSource
from mstunnel_setup.tenant.wire import DeploymentMode, TunnelServer
from mstunnel_setup.transaction.action import Action, Codec, Undo, UndoRecord
from tests.refusals import refused
from tests.unit.running_lab import running_lab
from tests.unit.tenant.credentials import rsa_key, write_pfx

CREDENTIAL = "/agent.p12"


@dataclass
class Lab:
    """A running lab, at which each person signs in once."""

    directory: Path
    facts: dict[str, Any]
    http: HttpSession
    people: dict[str, TokenSource] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return cloud("custom", self.facts["authority"], self.facts["graph"])

    def sign_in(self, client_id: str | None = None) -> SignIn:
        return SignIn(self.http, Clock(), self.cloud, "organizations", client_id or self.facts["client_id"])

    def person(self, name: str) -> TokenSource:
        def approve(code: DeviceCode) -> None:
            remote.approve(self.directory, code.code, f"{name}@contoso.example")

        if name not in self.people:
            self.people[name] = self.sign_in().device_code(approve)
        return self.people[name]

    def graph(self, name: str = "admin", http: HttpPort | None = None) -> Graph:
        return Graph(http or self.http, self.cloud, self.person(name), Clock())


@dataclass
class Ports(Any):
    """The ports of the actions."""

    files: Files
    graph: Graph
    state_directory: str = "/state"
    clock: Clock = field(default_factory=Clock)


class Killed(BaseException):
    """The end of the process."""


@dataclass
class Mortal:
    """An HTTP port whose process dies at a given request, which is delivered without a visible response.

    A death just before a request leaves the same state as a death just after the previous one.
    """

    inner: HttpSession
    left: int

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self.inner.request(method, url, **options)
        self.left -= 1
        if self.left == 0:
            raise Killed
        return answer


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("lab")
    with running_lab(directory) as facts:
        http = HttpSession(Clock(), facts["ca_file"])
        yield Lab(directory, facts, http)
        http.close()


@pytest.fixture
def ports(lab: Lab, tmp_path: Path) -> Ports:
    write_pfx(tmp_path / "agent.p12")
    return Ports(Files(tmp_path), lab.graph())


@pytest.fixture
def site_id(lab: Lab) -> str:
    return lab.graph().sites()[0].id


def identity(name: str) -> CreateAppIdentity:
    return CreateAppIdentity(display_name=name, credential_path=CREDENTIAL)


def server(site_id: str, name: str) -> RegisterServer:
    return RegisterServer(
        site_id=site_id, server_name=name, deployment_mode=DeploymentMode.STANDALONE_ROOTFUL
    )


def begin(action: Action, ports: Ports) -> Callable[[JsonObject | None], UndoRecord]:
    """Capture the state, and return a function that makes the record for an undo."""
    before = action.capture(ports)
    return lambda outputs: UndoRecord(before, [action], {action.key: outputs} if outputs else {})


def test_user_sees_the_sites_with_their_configuration(lab: Lab) -> None:
    sites = lab.graph().sites()

    assert {site.display_name for site in sites} == {"Berlin", "Osaka"}
    assert all(site.microsoft_tunnel_configuration for site in sites)
    configuration = lab.graph().configuration_of(sites[0].id)
    assert configuration is not None
    assert configuration.id == getattr(sites[0].microsoft_tunnel_configuration, "id", None)


def test_user_without_a_role_is_refused_by_graph(lab: Lab) -> None:
    with pytest.raises(SignInError) as caught:
        lab.graph("reader").sites()
    assert caught.value.code == "role-missing"
    assert "reader@contoso.example: GET /beta/deviceManagement/microsoftTunnelSites" in caught.value.message
    assert "Read of the permission group Microsoft Tunnel Gateway" in caught.value.hint


def test_custom_role_allows_only_its_rights(lab: Lab, site_id: str) -> None:
    viewer, owner = lab.graph("viewer"), lab.graph("tunnel")
    assert {site.display_name for site in viewer.sites()} == {"Berlin", "Osaka"}
    made = owner.create_server(site_id, "gw9", DeploymentMode.STANDALONE_ROOTFUL)
    change = TunnelServer(display_name="gw10")
    attempts: dict[str, Callable[[], object]] = {
        "Create": lambda: viewer.create_server(site_id, "gw8", DeploymentMode.STANDALONE_ROOTFUL),
        "Update": lambda: viewer.update_server(site_id, made.id, change),
        "Delete": lambda: viewer.delete_server(site_id, made.id),
    }
    for right, attempt in attempts.items():
        with pytest.raises(SignInError) as caught:
            attempt()
        assert caught.value.code == "role-missing"
        assert f"{right} of the permission group Microsoft Tunnel Gateway" in caught.value.hint
    owner.update_server(site_id, made.id, change)
    assert owner.delete_server(site_id, made.id)


def test_unknown_client_is_reported(lab: Lab) -> None:
    sign_in = lab.sign_in("99999999-9999-9999-9999-999999999999")

    with refused(SignInError, "application-unknown"):
        sign_in.device_code(lambda _code: None)


def test_identity_of_the_agent_is_created_used_and_removed(ports: Ports, lab: Lab, site_id: str) -> None:
    make = identity("agent of gw1")
    register = server(site_id, "gw1")
    make_record, register_record = begin(make, ports), begin(register, ports)

    outputs = {make.key: make.apply(ports, {}), register.key: register.apply(ports, {})}
    assert make.apply(ports, outputs) == outputs[make.key]
    assert make.apply(ports, {}) == outputs[make.key]
    assert register.apply(ports, {}) == outputs[register.key]
    assert make.satisfied(ports, outputs)
    assert register.satisfied(ports, outputs)

    agent = _agent(lab, ports, outputs[make.key])
    _check_in(agent, site_id, str(outputs[register.key]["server_id"]))
    assert make.satisfied(Ports(ports.files, agent), outputs)
    assert register.satisfied(Ports(ports.files, agent), outputs)

    assert register.undo(ports, register_record(outputs[register.key])).outcome is Undo.REMOVED
    assert make.undo(ports, make_record(outputs[make.key])).outcome is Undo.REMOVED
    assert not make.satisfied(ports, outputs)
    assert not register.satisfied(ports, outputs)
    assert register.undo(ports, register_record(outputs[register.key])).outcome is Undo.ABSENT
    assert make.undo(ports, make_record(outputs[make.key])).outcome is Undo.ABSENT


def test_missing_permission_to_remove_is_reported_in_advance(ports: Ports, lab: Lab) -> None:
    make = identity("agent of gw2")
    record = begin(make, ports)
    made = make.apply(ports, {})
    application = ports.graph.application(str(made["application_object_id"]))
    assert application is not None

    with refused(SignInError, "permission-missing"):
        _agent(lab, ports, made).require_changeable(application)
    ports.graph.require_changeable(application)
    assert ports.graph.application(application.id) == application
    make.undo(ports, record(made))


def _agent(lab: Lab, ports: Ports, made: JsonObject) -> Graph:
    app_id = str(made["app_id"])
    sign_in = SignIn(lab.http, Clock(), lab.cloud, str(made["tenant_id"]), app_id)
    source = sign_in.application(read_credential(ports.files, CREDENTIAL))
    return Graph(lab.http, lab.cloud, source, Clock(), signed_in_as=app_id)


def _check_in(agent: Graph, site_id: str, server_id: str) -> None:
    known = agent.server(site_id, server_id)
    assert known is not None
    agent.update_server(site_id, server_id, TunnelServer(display_name=known.display_name))
    seen = agent.server(site_id, server_id)
    assert seen is not None
    assert seen.last_checkin_date_time is not None


def test_run_killed_at_any_request_leaves_one_application(ports: Ports, lab: Lab, site_id: str) -> None:
    deaths = 0
    while True:
        name = f"agent {deaths}"
        actions = [identity(name), server(site_id, name)]
        records = [begin(action, ports) for action in actions]
        mortal = Ports(ports.files, lab.graph(http=Mortal(lab.http, deaths + 1)))
        try:
            for action in actions:
                action.apply(mortal, {})
        except Killed:
            deaths += 1
        else:
            break
        finally:
            outputs = [action.apply(ports, {}) or {} for action in actions]
            _exactly_one(ports.graph, site_id, name, outputs)
            for action, record in zip(actions, records, strict=True):
                assert action.undo(ports, record(None)).outcome is Undo.REMOVED
    assert deaths >= 8


def _exactly_one(graph: Graph, site_id: str, name: str, outputs: list[JsonObject]) -> None:
    (application,) = graph.find_applications(name)
    assert application.id == outputs[0]["application_object_id"]
    assert len(application.key_credentials) == 1
    assert len(graph.grants(str(outputs[0]["service_principal_id"]))) == 1
    assert [item.id for item in graph.servers(site_id) if item.display_name == name] == [
        outputs[1]["server_id"]
    ]


def test_run_killed_at_any_request_leaves_one_working_secret(ports: Ports, lab: Lab) -> None:
    deaths = 0
    while True:
        make = CreateAppIdentity(display_name=f"agent with a secret {deaths}", credential_path="")
        secret = CreateAgentSecret(path="/agent-secret", application=make.key, days=30)
        records = [begin(action, ports) for action in (make, secret)]
        mortal = Ports(ports.files, lab.graph(http=Mortal(lab.http, deaths + 1)))
        try:
            secret.apply(mortal, {make.key: make.apply(mortal, {})})
        except Killed:
            deaths += 1
        else:
            break
        finally:
            outputs = {make.key: make.apply(ports, {})}
            assert not secret.satisfied(ports, outputs)
            outputs[secret.key] = secret.apply(ports, outputs)
            assert secret.satisfied(ports, outputs)
            assert make.satisfied(ports, outputs)
            _signs_in_with_its_only_secret(ports, lab, outputs[make.key], outputs[secret.key])
            for action, record in zip((secret, make), reversed(records), strict=True):
                assert action.undo(ports, record(None)).outcome is Undo.REMOVED
    assert deaths >= 8


def _signs_in_with_its_only_secret(ports: Ports, lab: Lab, made: JsonObject, secret: JsonObject) -> None:
    application = ports.graph.application(str(made["application_object_id"]))
    assert application is not None
    assert [item.key_id for item in application.password_credentials] == [secret["key_id"]]
    assert ports.files.locate("/agent-secret").stat().st_mode & 0o777 == 0o600
    text = (ports.files.read("/agent-secret") or b"").decode()
    assert text not in json.dumps([made, secret])
    sign_in = SignIn(lab.http, Clock(), lab.cloud, str(made["tenant_id"]), str(made["app_id"]))
    assert sign_in.application(ClientSecret(text))()


def test_a_new_credential_replaces_the_old_one(ports: Ports, lab: Lab, tmp_path: Path) -> None:
    make = identity("agent renewed")
    record = begin(make, ports)
    outputs = {make.key: make.apply(ports, {})}
    write_pfx(tmp_path / "agent.p12", rsa_key(1))

    assert not make.satisfied(ports, outputs)
    assert make.apply(ports, outputs) == outputs[make.key]
    assert make.satisfied(ports, outputs)
    assert _agent(lab, ports, outputs[make.key]).sites()
    make.undo(ports, record(outputs[make.key]))


def test_taken_names_are_refused_before_any_change(ports: Ports, lab: Lab, site_id: str) -> None:
    make, register = identity("agent taken"), server(site_id, "taken")
    records = [begin(make, ports), begin(register, ports)]
    outputs = [make.apply(ports, {}), register.apply(ports, {})]

    with refused(TenantError, "server-record-left") as caught:
        require_free_name(ports.graph, site_id, "TAKEN")
    assert "mst-admin server delete TAKEN" in caught.value.hint
    assert "existing_record: replace" in caught.value.hint
    _check_in(_agent(lab, ports, outputs[0]), site_id, str(outputs[1]["server_id"]))
    with refused(TenantError, "server-name-taken"):
        require_free_name(ports.graph, site_id, "TAKEN")
    with refused(TenantError, "application-name-taken"):
        make.capture(ports)

    make.undo(ports, records[0](outputs[0]))
    register.undo(ports, records[1](outputs[1]))


def removed_for_good(ports: Ports, removal: Action) -> None:
    """Remove an object of an earlier installation, twice: the removal is idempotent and is not undone."""
    assert not removal.satisfied(ports, {})
    record = begin(removal, ports)
    for _ in range(2):
        removal.apply(ports, {})
    assert removal.satisfied(ports, {})
    assert removal.undo(ports, record({})).outcome is Undo.ABSENT


def test_leftover_server_record_is_removed_for_a_new_one(ports: Ports, site_id: str) -> None:
    register = server(site_id, "left")
    left = ports.graph.create_server(site_id, "left", DeploymentMode.STANDALONE_ROOTFUL).id
    require_free_name(ports.graph, site_id, "left", removable=True)
    removal = RemoveServerRecord(site_id=site_id, server_id=left, server_name="left")
    removed_for_good(ports, removal)
    made = begin(register, ports)
    outputs = register.apply(ports, {})
    assert outputs["server_id"] != left
    register.undo(ports, made(outputs))


def test_user_who_may_not_grant_waits_for_consent(ports: Ports, lab: Lab) -> None:
    make = identity("agent without consent")
    record = begin(make, ports)
    limited = Ports(ports.files, lab.graph("intune"))

    with refused(WaitingError, "admin-consent-needed") as caught:
        make.apply(limited, {})
    assert f"{lab.facts['authority']}/adminconsent?client_id=" in caught.value.hint

    _consent(ports.graph, "agent without consent")
    outputs = make.apply(limited, {})
    assert make.undo(limited, record(outputs)).outcome is Undo.REMOVED


def test_leftover_application_is_removed_for_a_new_one(ports: Ports) -> None:
    make = identity("agent installed twice")
    left = make.apply(ports, {})["application_object_id"]
    with refused(TenantError, "application-name-taken"):
        begin(make, ports)

    removal = RemoveApplication(object_id=str(left), display_name=make.display_name)
    removed_for_good(ports, removal)
    made = begin(make, ports)
    outputs = make.apply(ports, {})
    assert outputs["application_object_id"] != left
    make.undo(ports, made(outputs))


def _consent(graph: Graph, name: str) -> None:
    """Grant the declared permissions, as Entra does when an administrator accepts on the consent page."""
    (application,) = graph.find_applications(name)
    principal = graph.service_principal(application.app_id)
    resource = graph.graph_principal()
    wire: dict[str, Any] = application.to_wire()
    (declared,) = wire["requiredResourceAccess"]
    assert declared["resourceAppId"] == resource.app_id
    assert principal is not None
    for access in declared["resourceAccess"]:
        graph.grant(principal.id, resource.id, access["id"])


@pytest.mark.parametrize(("person", "licensed"), [("admin", True), ("unlicensed", False)])
def test_licence_of_an_account_is_read_from_the_tenant(lab: Lab, person: str, licensed: bool) -> None:
    graph = lab.graph(person)
    assert graph.for_person
    assert has_intune(graph.licences()) is licensed


def test_an_account_without_a_licence_is_reported(ports: Ports, lab: Lab, site_id: str) -> None:
    with refused(SignInError, "licence-missing", match="licence") as caught:
        server(site_id, "gw9").apply(Ports(ports.files, lab.graph("unlicensed")), {})

    assert "licence" in caught.value.hint


def test_registration_in_a_deleted_site_is_reported(ports: Ports) -> None:
    gone = "00000000-1111-2222-3333-444444444444"
    with refused(TenantError, "site-deleted") as caught:
        server(gone, "gw9").apply(ports, {})
    assert gone in caught.value.message


@pytest.mark.parametrize("known", [True, False], ids=["registered", "cut off while it registered"])
def test_server_record_in_a_deleted_site_counts_as_absent(ports: Ports, *, known: bool) -> None:
    """Check the uninstallation that the error of the test above advises."""
    register = server("00000000-1111-2222-3333-444444444444", "gw9")
    made: JsonObject = {"server_id": "00000000-1111-2222-3333-555555555555"}
    record = UndoRecord({}, [register], {register.key: made} if known else {})
    assert register.undo(ports, record).outcome is Undo.ABSENT


def test_actions_are_read_from_the_journal_unchanged(site_id: str) -> None:
    codec = Codec([CreateAppIdentity, RegisterServer])

    for action in (identity("agent"), server(site_id, "gw1")):
        assert codec.load(json.loads(json.dumps(codec.dump(action)))) == action
