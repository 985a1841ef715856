"""Step `sign-in`: a registered server signs in itself; otherwise an administrator does."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, NetworkError, SignInError, TenantError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install import tenant_sign_in
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.install.uninstall import tenant_keys
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import SETUP_PERMISSIONS
from mstunnel_setup.tenant.token_sources import TokenSource
from mstunnel_setup.tenant.wire import USER_READ
from tests.refusals import refused
from tests.unit.install.scenes import BERLIN, FakeGraph, Scene
from tests.unit.tenant.fakes import FakeHttp, jwt, response

_CLIENT = "44444444-0000-0000-0000-000000000000"
_APP = {"client_id": "11111111-2222-3333-4444-555555555555"}
LAB = {
    "tenant__cloud": "custom",
    "tenant__authority": "https://lab.example/1",
    "tenant__graph": "https://lab.example",
}


@dataclass
class _Tenant:
    """A fake sign-in of this server, or of an administrator with the additional permissions `asked`."""

    graph: FakeGraph = field(default_factory=FakeGraph)
    refusal: Exception | None = None
    """Exception with which the server's sign-in is refused."""
    opened: list[str] = field(default_factory=list)
    asked: list[Sequence[str]] = field(default_factory=list)

    def administrator(self, _context: Run, further: Sequence[str] = ()) -> FakeGraph:
        self.opened.append("administrator")
        self.asked.append(further)
        return self.graph

    def own_identity(self, _context: Run) -> FakeGraph:
        self.opened.append("own")
        return FakeGraph(refusal=self.refusal)


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> _Tenant:
    tenant = _Tenant()
    monkeypatch.setattr(sign_in, "administrator", tenant.administrator)
    monkeypatch.setattr(sign_in, "own_identity", tenant.own_identity)
    return tenant


def _registered(scene: Scene) -> None:
    application = {"kind": "create-app-identity", "display_name": "a", "credential_path": "/c"}
    scene.finished(application, "application:a", {"app_id": "1", "tenant_id": "2"})
    scene.registered(BERLIN, "3")


REFUSED = SignInError("application-unknown", "no such application")


@pytest.mark.parametrize(
    ("registered", "refusal", "opened"),
    [
        (False, None, ["administrator"]),
        (True, None, ["own"]),
        (True, REFUSED, ["own", "administrator"]),
    ],
    ids=["new", "registered", "refused"],
)
def test_registered_server_needs_no_administrator_sign_in(
    scene: Scene, tenant: _Tenant, *, registered: bool, refusal: Exception | None, opened: list[str]
) -> None:
    if registered:
        _registered(scene)
    tenant.refusal = refusal
    run = scene.opened()
    sign_in.STEP.gather(run)
    assert (tenant.opened, scene.prompter.asked) == (opened, [])
    assert run.host.graph.sites() == [*FakeGraph().all_sites]
    assert any("no such application" in text for text in scene.prompter.said) is bool(refusal)


def test_unreachable_tenant_does_not_prompt_an_administrator(scene: Scene, tenant: _Tenant) -> None:
    _registered(scene)
    tenant.refusal = NetworkError("unreachable", "no route")
    with pytest.raises(NetworkError):
        sign_in.STEP.gather(scene.opened())
    assert tenant.opened == ["own"]


def test_removal_needs_an_administrator_but_no_licence(scene: Scene, tenant: _Tenant) -> None:
    _registered(scene)
    tenant.graph.plans = ()
    run = scene.opened()
    sign_in.as_administrator(run)
    sign_in.STEP.gather(run)
    assert (tenant.opened, tenant.asked) == (["administrator"], [()])


def test_a_lost_credential_leads_to_the_administrator(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _registered(scene)
    monkeypatch.setattr(sign_in, "administrator", lambda *_given: FakeGraph([BERLIN]))
    run = scene.opened()
    sign_in.STEP.gather(run)
    assert run.host.graph.sites() == [BERLIN]
    assert paths.AGENT_CREDENTIAL in scene.prompter.said[0]


def test_valid_licence_passes_silently(scene: Scene, tenant: _Tenant) -> None:
    sign_in.STEP.gather(scene.opened())
    assert tenant.asked == [(USER_READ,)]
    assert scene.prompter.said == []


@pytest.mark.parametrize("plans", [(), ("EXCHANGE_S_STANDARD", "AAD_PREMIUM")])
def test_an_account_without_any_plan_of_intune_is_refused(
    scene: Scene, tenant: _Tenant, plans: tuple[str, ...]
) -> None:
    tenant.graph.plans = plans
    with pytest.raises(SignInError) as caught:
        sign_in.STEP.gather(scene.opened())
    assert (caught.value.code, caught.value.exit_code) == ("licence-missing", ExitCode.SIGN_IN)


def test_a_missing_licence_can_be_ignored(scene: Scene, tenant: _Tenant) -> None:
    tenant.graph.plans = ()
    run = scene.opened()
    run.request = InstallRequest(ignored_checks=("licence-missing",))
    sign_in.STEP.gather(run)
    assert scene.prompter.said[0].startswith("Ignored (--ignore-check): ")


@pytest.mark.parametrize(
    "graph",
    [
        FakeGraph(refusal=SignInError("permission-missing", "Graph denied access")),
        FakeGraph(refusal=TenantError("graph-unavailable", "Graph is not available")),
        FakeGraph(plans=("INTUNE_EDU",)),
        FakeGraph(person=False, plans=()),
    ],
)
def test_unclear_licence_is_reported_and_accepted(scene: Scene, tenant: _Tenant, graph: FakeGraph) -> None:
    tenant.graph = graph
    sign_in.STEP.gather(scene.opened())
    (said,) = scene.prompter.said
    assert said.startswith("Intune licence not ")


def test_an_unfinished_registration_does_not_count(scene: Scene) -> None:
    application: JsonObject = {"kind": "create-app-identity", "display_name": "a", "credential_path": "/c"}
    journal = scene.journal
    journal.begin_installation()
    journal.append("begin", step="register", key="application:a", action=application, before={})
    receipt = scene.opened().receipt
    assert not sign_in.registered(receipt)
    assert tenant_keys(receipt) == {"application:a": "create-app-identity"}


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        ({}, ()),
        ({"method": "device-code"}, ()),
        ({"method": "client-secret"}, ("sign_in.client_id", "sign_in.client_secret")),
        ({"method": "client-certificate"}, ("sign_in.client_id", "sign_in.certificate", "sign_in.key")),
        ({"method": "client-certificate", "pfx": "/a.pfx"}, ("sign_in.client_id",)),
        ({"method": "token-file"}, ("sign_in.token_file",)),
    ],
)
def test_missing_settings_of_each_method_are_named(
    scene: Scene, answers: dict[str, str], missing: tuple[str, ...]
) -> None:
    run = scene.opened()
    section = run.answers.sign_in.model_copy(update=answers)
    given = run.answering(run.answers.model_copy(update={"sign_in": section}))
    assert sign_in.STEP.missing(given) == missing


def test_a_registered_server_needs_no_answer(scene: Scene) -> None:
    _registered(scene)
    assert sign_in.STEP.missing(scene.opened(**LAB)) == ()


def test_a_custom_cloud_has_no_application_for_every_tenant(scene: Scene) -> None:
    run = scene.opened(**LAB)
    assert sign_in.STEP.missing(run) == ("sign_in.client_id",)
    scene.prompter.typed = [_CLIENT]
    assert sign_in.client_id(run, SETUP_PERMISSIONS) == _CLIENT
    assert scene.prompter.asked == ["Client id, or graph-command-line-tools"]


@pytest.mark.parametrize("cloud", ["public", "gcc-high", "dod"])
def test_in_the_clouds_of_the_vendor_no_client_id_is_asked_for(scene: Scene, cloud: str) -> None:
    """The consent page shows an unfamiliar application name, so a notice announces it."""
    run = scene.opened(tenant__cloud=cloud)
    assert sign_in.client_id(run, SETUP_PERMISSIONS) == "graph-command-line-tools"
    assert scene.prompter.asked == []
    (said,) = scene.prompter.said
    assert "Microsoft Graph Command Line Tools" in said
    assert "DeviceManagementConfiguration.ReadWrite.All" in said
    assert "MSTUNNEL_SIGN_IN_CLIENT_ID" in said


def test_own_client_id_shows_no_notice(scene: Scene) -> None:
    run = scene.opened(sign_in__client_id=_CLIENT)
    assert sign_in.client_id(run, SETUP_PERMISSIONS) == _CLIENT
    assert scene.prompter.said == []


def test_a_client_id_that_was_typed_is_remembered(scene: Scene, tenant: _Tenant) -> None:
    assert sign_in.STEP.gather(scene.opened(sign_in__client_id=_CLIENT)) == _CLIENT


def test_a_token_file_is_enough(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    http = FakeHttp([response(200, {"value": []})])
    monkeypatch.setattr(sign_in, "http_session", lambda _run: http)
    token = str(scene.write("/root/token", "opaque\n"))
    run = scene.opened(sign_in__method="token-file", sign_in__token_file=token)
    assert sign_in.STEP.gather(run) == ""
    assert isinstance(run.host.graph, Graph)


def test_person_without_a_role_is_refused_before_any_change(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graph refuses the first request, which reads the sites, before anything is changed."""
    http = FakeHttp([response(403, {"error": {"code": "Forbidden", "message": "No."}})])
    monkeypatch.setattr(sign_in, "http_session", lambda _run: http)
    says = jwt(scp="DeviceManagementConfiguration.ReadWrite.All", wids=[], upn="reader@contoso.example")
    token = str(scene.write("/root/token", says))
    with refused(SignInError, "role-missing", match=r"reader@contoso\.example: GET"):
        sign_in.STEP.gather(scene.opened(sign_in__method="token-file", sign_in__token_file=token))
    assert [call.method for call in http.calls] == ["GET"]


def test_the_proxy_of_env_sh_is_used_unless_the_shell_names_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(paths.ENVIRONMENT, "https_proxy=http://file:1\nno_proxy=file\nOTHER=1\n")
    monkeypatch.setenv("no_proxy", "shell")
    sign_in.http_session(scene.opened()).close()
    assert (os.environ["https_proxy"], os.environ["no_proxy"]) == ("http://file:1", "shell")
    assert "OTHER" not in os.environ


def test_missing_ca_file_is_refused(scene: Scene) -> None:
    with pytest.raises(NetworkError):
        sign_in.http_session(scene.opened(tenant__ca_file="/nowhere/ca.pem"))


def _sign_in(root: Path, **given: str) -> TokenSource:
    unused: Any = None
    answers = merge({f"sign_in.{name}": value for name, value in given.items()}, {})
    return tenant_sign_in.sign_in(
        answers,
        unused,
        Clock(),
        unused,
        Files(root),
        permissions=(),
        client_id=lambda: given["client_id"],
        secret=lambda _reference: "hidden-secret",
    )


def test_token_file_is_read_locally_without_a_request(tmp_path: Path) -> None:
    """Like every file that an administrator names, it is not below `--root`."""
    (tmp_path / "token").write_text("a-token\n")
    source = _sign_in(tmp_path / "root", method="token-file", token_file=str(tmp_path / "token"))
    assert source() == "a-token"


def test_an_application_needs_its_tenant(tmp_path: Path) -> None:
    with refused(SignInError, "tenant-missing"):
        _sign_in(tmp_path, method="client-secret", client_secret="file:/root/secret", **_APP)


def test_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match=r"app\.pfx"):
        _sign_in(tmp_path, method="client-certificate", pfx=str(tmp_path / "app.pfx"), **_APP)
