"""Step `register`: names unique to this machine, and files that refer to the tenant's later answers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup.actions.agent_sign_in import (
    CreateAgentSecret,
    PlaceAgentCredential,
    PlaceAgentSecret,
    UseAppIdentity,
)
from mstunnel_setup.actions.certificates import CreateAgentCredential
from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.files import LinkInPlace, WriteJson
from mstunnel_setup.actions.tenant_objects import (
    CreateAppIdentity,
    RegisterServer,
    RemoveApplication,
    RemoveServerRecord,
)
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, SignInError, TenantError, WaitingError
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import register, sign_in
from mstunnel_setup.tenant.client_credential import ClientSecret, Credential, own_credential
from mstunnel_setup.tenant.clouds import CLOUDS
from mstunnel_setup.tenant.wire import Application, DeploymentMode, HealthStatus, TunnelServer
from mstunnel_setup.transaction.action import Undo, UndoRecord
from tests.refusals import refused
from tests.unit.install.scenes import BERLIN, FakeGraph, Scene
from tests.unit.tenant.credentials import rsa_key, write_pfx


@pytest.fixture(autouse=True)
def joined(scene: Scene) -> None:
    scene.join(BERLIN)


def test_site_cloud_and_name_come_from_answers_or_the_host(scene: Scene) -> None:
    """The resulting files are covered by the recorded decisions."""
    facts = register.STEP.gather(scene.opened())
    assert facts == register.Registration(
        site_id=BERLIN.id,
        server_name="gw1",
        application_name=facts.application_name,
        cloud=CLOUDS["public"],
        authentication="oidc",
        deployment_mode=DeploymentMode.STANDALONE_ROOTFUL,
    )
    assert register.STEP.gather(scene.opened(server_name="gateway 7")).server_name == "gateway 7"


def test_two_machines_of_one_name_have_two_applications(scene: Scene) -> None:
    scene.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    one = register.STEP.gather(scene.opened()).application_name
    assert register.STEP.gather(scene.opened()).application_name == one
    scene.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
    other = register.STEP.gather(scene.opened()).application_name
    assert one != other
    assert one.startswith("mstunnel-gateway gw1 ")
    assert "01234567" not in one, "the machine id itself stays here"


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ({"mode": "rootless"}, DeploymentMode.STANDALONE_ROOTLESS),
        ({"deployment": "pod"}, DeploymentMode.POD_ROOTFUL),
        ({"deployment": "pod", "mode": "rootless"}, DeploymentMode.POD_ROOTLESS),
    ],
)
def test_tenant_record_says_how_the_containers_run(
    scene: Scene, answers: dict[str, str], sent: DeploymentMode
) -> None:
    assert register.STEP.gather(scene.opened(**answers)).deployment_mode is sent


def test_before_a_site_is_chosen_nothing_can_be_registered(scene: Scene) -> None:
    scene.journal.remove()
    with refused(TenantError, "site-missing"):
        register.STEP.gather(scene.opened())


LEFT = TunnelServer(id="22222222-0000-0000-0000-000000000009", display_name="GW1")
AT_WORK = LEFT.model_copy(
    update={
        "last_checkin_date_time": datetime(2026, 6, 1, tzinfo=UTC),
        "tunnel_server_health_status": HealthStatus.WARNING,
    }
)


@pytest.mark.parametrize(
    ("record", "answers", "typed", "removed"),
    [
        (LEFT, {}, ["yes"], LEFT.id),
        (LEFT, {}, ["no"], ""),
        (LEFT, {"existing_record": "replace"}, [], LEFT.id),
        (AT_WORK, {"existing_record": "replace"}, [], ""),
        (LEFT.model_copy(update={"display_name": "gw2"}), {"existing_record": "replace"}, [], ""),
    ],
    ids=["yes", "no", "answered", "at work", "another name"],
)
def test_a_record_left_behind_is_removed_after_confirmation(
    scene: Scene, record: TunnelServer, answers: dict[str, str], typed: list[str], removed: str
) -> None:
    scene.graph.listed = [record]
    scene.prompter.typed = list(typed)
    assert register.STEP.gather(scene.opened(**answers)).left_record == removed
    assert len(scene.prompter.asked) == len(typed)


def test_a_server_that_has_come_back_keeps_its_record(scene: Scene) -> None:
    scene.graph.listed = [LEFT]
    facts = register.STEP.gather(scene.opened(existing_record="replace"))
    removal = next(item for item in register.STEP.decide(facts) if isinstance(item, RemoveServerRecord))
    scene.graph.listed = [AT_WORK]
    with refused(TenantError, "server-name-taken"):
        removal.capture(scene.opened().host)


@pytest.mark.parametrize(("typed", "removed"), [("yes", ["object"]), ("no", [])])
def test_leftover_application_is_replaced_after_confirmation(
    scene: Scene, typed: str, removed: list[str]
) -> None:
    name = register.STEP.gather(scene.opened()).application_name
    created = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
    scene.graph.applications = [Application(id="object", display_name=name, created_date_time=created)]
    scene.prompter.typed = [typed]
    actions = register.STEP.decide(register.STEP.gather(scene.opened()))
    (question,) = scene.prompter.asked
    assert f"called {name}, created 2026-05-01 08:30 UTC" in question
    assert [item.object_id for item in actions if isinstance(item, RemoveApplication)] == removed
    kinds = [type(action) for action in actions]
    assert kinds.index(CreateAppIdentity) == 1 + len(removed)


def test_unattended_run_keeps_leftover_objects(scene: Scene) -> None:
    name = register.STEP.gather(scene.opened()).application_name
    scene.graph.listed = [LEFT]
    scene.graph.applications = [Application(id="object", display_name=name)]
    scene.prompter.interactive = False
    facts = register.STEP.gather(scene.opened())
    assert (facts.left_record, facts.left_applications) == ("", ())


OWN = LEFT.model_copy(update={"id": "22222222-0000-0000-0000-000000000001"})


@pytest.mark.parametrize(
    ("records", "typed", "code"),
    [
        ([OWN], [], ""),
        ([], [], ""),
        ([LEFT], ["yes"], ""),
        ([OWN, LEFT], ["no"], "server-record-left"),
        ([LEFT], ["no"], "server-record-left"),
        ([AT_WORK], [], "server-name-taken"),
    ],
    ids=["own", "gone", "agreed", "declined beside own", "declined", "at work"],
)
def test_person_confirms_before_the_old_registration_is_removed(
    scene: Scene, records: list[TunnelServer], typed: list[str], code: str
) -> None:
    run = scene.opened()
    server = register.STEP.gather(run).server
    scene.finished(CODEC.dump(server), server.key, {"server_id": OWN.id}, step="register")
    scene.graph.listed = list(records)
    scene.prompter.typed = list(typed)
    if code:
        with refused(TenantError, code):
            register.require_possible(run)
        return
    register.require_possible(run)
    scene.journal.append("taken-back", key=server.key, outcome="removed", reason="")
    scene.graph.listed = [item for item in records if item is not OWN]
    assert register.STEP.gather(run).left_record == (LEFT.id if LEFT in records else "")
    assert len(scene.prompter.asked) == len(typed), "asked once"


def test_no_new_registration_in_a_site_that_is_gone(scene: Scene) -> None:
    scene.graph.all_sites = []
    with refused(TenantError, "site-deleted") as caught:
        register.require_possible(scene.opened())
    assert "mst-cli site change" in caught.value.hint


def test_foreign_application_is_refused_before_any_removal(scene: Scene) -> None:
    name = register.STEP.gather(scene.opened()).application_name
    scene.graph.applications = [Application(id="object", display_name=name)]
    scene.prompter.interactive = False
    with refused(TenantError, "application-name-taken"):
        register.require_possible(scene.opened())


def test_another_machine_id_is_told_from_another_name(scene: Scene) -> None:
    scene.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    facts = register.STEP.gather(scene.opened())
    made = [facts.server, CreateAppIdentity(display_name=facts.application_name, credential_path="/c")]
    for action in made:
        scene.finished(CODEC.dump(action), action.key, {}, step="register")
    with refused(TenantError, "server-renamed"):
        register.STEP.gather(scene.opened(server_name="gw2"))
    scene.write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n")
    with refused(TenantError, "machine-id-changed") as caught:
        register.STEP.gather(scene.opened())
    assert "`mst-cli reenroll`" in caught.value.hint


def test_own_objects_are_not_mistaken_for_leftovers(scene: Scene) -> None:
    """This holds even if the run was interrupted before the tenant's answer arrived."""
    facts = register.STEP.gather(scene.opened(existing_record="replace"))
    name = facts.application_name
    scene.graph.listed = [LEFT]
    scene.graph.applications = [Application(id="object", display_name=name)]
    application = CreateAppIdentity(display_name=name, credential_path=paths.AGENT_CREDENTIAL)
    for made in (facts.server, application):
        scene.journal.append("begin", step="register", key=made.key, action=CODEC.dump(made), before={})
    facts = register.STEP.gather(scene.opened(existing_record="replace"))
    assert (facts.left_record, facts.left_applications, scene.prompter.asked) == ("", (), [])


PREPARED = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def proved(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of applications that signed in."""
    told = list[str]()

    def signed_in(_context: Run, tenant_id: str, app_id: str, _credential: Credential) -> FakeGraph:
        told.append(f"{app_id} in {tenant_id}")
        return scene.graph

    monkeypatch.setattr(sign_in, "as_application", signed_in)
    return told


def _prepared(scene: Scene, tmp_path: Path) -> Run:
    write_pfx(tmp_path / "agent.pfx", passphrase=b"s3cret")
    (tmp_path / "passphrase").write_text("s3cret")
    (tmp_path / "passphrase").chmod(0o600)
    return scene.opened(
        identity__client_id=PREPARED,
        identity__pfx=str(tmp_path / "agent.pfx"),
        identity__passphrase=f"file:{tmp_path}/passphrase",
    )


def test_existing_application_is_verified_and_reused(scene: Scene, proved: list[str], tmp_path: Path) -> None:
    run = _prepared(scene, tmp_path)
    run.host.files.make_directories(paths.AGENT_DIRECTORY)
    place, use, *rest = register.STEP.decide(register.STEP.gather(run))
    assert proved == [f"{PREPARED} in {scene.graph.tenant_id()}"]
    assert isinstance(place, PlaceAgentCredential)
    assert isinstance(use, UseAppIdentity)
    assert [type(action) for action in rest] == [RegisterServer, WriteJson, WriteJson, LinkInPlace]
    assert not place.satisfied(run.host, {})

    placed = place.apply(run.host, {})
    assert place.satisfied(run.host, {})
    assert placed["certificate_sha256"] == place.certificate_sha256
    assert run.host.files.locate(paths.AGENT_CREDENTIAL).stat().st_mode & 0o777 == 0o600
    assert use.apply(run.host, {}) == {"app_id": PREPARED, "tenant_id": scene.graph.tenant_id()}
    assert use.undo(run.host, UndoRecord({})).outcome is Undo.KEPT
    assert "s3cret" not in str(CODEC.dump(place))


def test_the_secret_of_an_existing_application_is_installed(scene: Scene, proved: list[str]) -> None:
    source = scene.write("/root/agent-secret", "s3cret\n")
    source.chmod(0o600)
    run = scene.opened(identity__client_id=PREPARED, identity__client_secret=f"file:{source}")
    run.host.files.make_directories(paths.AGENT_DIRECTORY)
    place, use, *_ = register.STEP.decide(register.STEP.gather(run))
    assert proved == [f"{PREPARED} in {scene.graph.tenant_id()}"]
    assert isinstance(place, PlaceAgentSecret)
    assert isinstance(use, UseAppIdentity)
    record = UndoRecord(place.capture(run.host))
    assert not place.satisfied(run.host, {})
    place.apply(run.host, {})
    assert place.satisfied(run.host, {})
    assert own_credential(run.host.files) == ClientSecret("s3cret")
    assert run.host.files.locate(paths.AGENT_SECRET).stat().st_mode & 0o777 == 0o600
    assert "s3cret" in scene.secrets
    assert "s3cret" not in str(CODEC.dump(place))
    assert place.undo(run.host, record).outcome is Undo.REMOVED


@pytest.mark.parametrize("before", ["certificate", "secret"])
def test_the_kind_of_credential_stays_as_it_was_installed(scene: Scene, before: str) -> None:
    made: CreateAgentCredential | CreateAgentSecret = (
        CreateAgentCredential(path=paths.AGENT_CREDENTIAL, common_name="gw1")
        if before == "certificate"
        else CreateAgentSecret(path=paths.AGENT_SECRET, application="application:gw1", days=30)
    )
    scene.finished(CODEC.dump(made), made.key, {})
    register.STEP.gather(scene.opened(identity__credential=before))
    with refused(TenantError, "identity-changed"):
        register.STEP.gather(
            scene.opened(identity__credential="secret" if before == "certificate" else "certificate")
        )


def test_credential_changed_after_the_check_is_not_placed(
    scene: Scene, proved: list[str], tmp_path: Path
) -> None:
    run = _prepared(scene, tmp_path)
    place = register.STEP.decide(register.STEP.gather(run))[0]
    write_pfx(tmp_path / "agent.pfx", rsa_key(1), b"s3cret")
    with refused(SignInError, "credential-changed"):
        place.apply(run.host, {})


def test_application_without_permission_awaits_consent(
    scene: Scene, proved: list[str], tmp_path: Path
) -> None:
    scene.graph.refusal = SignInError("permission-missing", "Graph refused")
    with pytest.raises(WaitingError) as caught:
        register.STEP.gather(_prepared(scene, tmp_path))
    assert caught.value.exit_code == ExitCode.WAITING
    assert f"adminconsent?client_id={PREPARED}" in caught.value.hint


def test_change_to_another_application_is_refused(scene: Scene, proved: list[str], tmp_path: Path) -> None:
    made = CreateAppIdentity(display_name="mstunnel-gateway gw1 0", credential_path=paths.AGENT_CREDENTIAL)
    scene.finished(CODEC.dump(made), made.key, {"app_id": "a", "tenant_id": "t"})
    with refused(TenantError, "server-renamed"):
        register.STEP.gather(_prepared(scene, tmp_path))
