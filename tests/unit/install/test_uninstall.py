"""An uninstallation asks once, and removes all files of the installation."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.actions.files import CopyFile, WriteFile
from mstunnel_setup.adopt import switch
from mstunnel_setup.adopt.inventory import beside
from mstunnel_setup.adopt.switch import commit
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, SignInError
from mstunnel_setup.certificates import generations
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.install.steps import certificate, site
from mstunnel_setup.install.uninstall import forget, remove_installation, uninstall
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import Application
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.step import Step
from tests.refusals import refused
from tests.testbed.certificates import as_pfx
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.clocks import FakeClock
from tests.unit.install.scenes import BERLIN, FakeGraph, FakePrompter, Scene
from tests.unit.operators import operator_of


@pytest.mark.parametrize(("others", "left"), [((), None), (("notes",), ["notes"])])
def test_uninstall_removes_rotated_logs_and_a_stale_lock(
    tmp_path: Path, others: tuple[str, ...], left: list[str] | None
) -> None:
    """An unrelated file beside the log stays."""
    files = Files(tmp_path)
    files.make_directories(paths.LOG)
    files.make_directories(paths.FEED_LOCK.rpartition("/")[0])
    for name in ("setup.log", "setup.log.1", "setup.log.2.gz", *others):
        files.write(f"{paths.LOG}/{name}", b"", 0o600)
    files.write(paths.FEED_LOCK, b"{}", 0o600)
    forget(files, Journal(files, FakeClock(), paths.STATE))
    assert (files.names(paths.LOG) if files.state(paths.LOG) else None) == left
    assert files.state(paths.FEED_LOCK) is None


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the root of a host on which one step was run."""
    for directory in ("run", "etc/mstunnel", "var/lib", "var/log"):
        (tmp_path / directory).mkdir(parents=True)
    words = ["step", "environment", "--accept-eula", "--unattended", "--root", str(tmp_path)]
    assert run_app(setup.app, "mstunnel-setup", words) == 0
    return tmp_path


def test_a_person_is_asked_once_and_may_say_no(installed: Path) -> None:
    person = FakePrompter(typed=["no"])
    with refused(SetupError, "uninstall-declined"):
        uninstall(operator_of(installed, person), {}, offline=False, keep_data=False, yes=False)
    assert person.asked == ["Remove the gateway from this server only?"]
    assert (installed / "etc/mstunnel/env.sh").exists()


def test_yes_option_skips_the_question(installed: Path) -> None:
    person = FakePrompter()
    done = uninstall(operator_of(installed, person), {}, offline=False, keep_data=False, yes=True)
    assert (done.status, person.asked) == ("changed", [])
    assert not (installed / "etc/mstunnel/env.sh").exists()


TAKEN_OVER = (paths.SITE_CERTIFICATE, paths.SITE_KEY, f"{paths.CA_TRUST}/root.crt")


@pytest.fixture
def adopted(scene: Scene) -> Scene:
    """Return a server that adopted the files of Microsoft's gateway and whose gateway serves."""
    copies = []
    for path in TAKEN_OVER:
        below = path.removeprefix(paths.CONFIGURATION)
        scene.write(path, path)
        source = str(scene.files.locate(f"{beside(paths.CONFIGURATION)}{below}"))
        copies.append(CopyFile(path=path, source=source, digest=str(scene.files.digest(path))))
    agreed = switch.Adoption(
        digest="", aside=(paths.CONFIGURATION,), copies=tuple(copies), answers={"site": "Berlin"}
    )
    scene.run(switch.in_order(agreed, [], [])[0], scene.opened())
    scene.journal.append("step", step="verify")
    return scene


def files_below(scene: Scene, directory: str) -> set[str]:
    """Return the files below a directory by their path in /etc/mstunnel."""
    top = scene.files.locate(directory)
    return {f"{paths.CONFIGURATION}/{path.relative_to(top)}" for path in top.rglob("*") if path.is_file()}


def test_adopted_files_stay_with_the_data(adopted: Scene) -> None:
    operator = operator_of(adopted.root)
    commit(operator)

    done = uninstall(operator, {}, offline=False, keep_data=True, yes=True)

    assert files_below(adopted, paths.CONFIGURATION) == set(TAKEN_OVER)
    assert {notice.message for notice in done.warnings} >= {f"left in place: {path}" for path in TAKEN_OVER}


def test_vendor_directory_is_restored_until_the_commit(adopted: Scene) -> None:
    uninstall(operator_of(adopted.root), {}, offline=False, keep_data=True, yes=True)

    assert files_below(adopted, paths.CONFIGURATION) == set(TAKEN_OVER)
    assert files_below(adopted, f"{paths.CONFIGURATION}.left") == set(TAKEN_OVER)
    assert not adopted.files.locate(beside(paths.CONFIGURATION)).exists()


def test_certificate_chosen_for_the_site_stays_with_the_data(scene: Scene) -> None:
    """A person chose it after the site was known, to replace one without the site's address."""
    for directory in (paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directories(directory)
    wrong, right = Pki({"leaf": {"names": ["vpn.example.com"]}}), Pki()
    scene.trusted = (wrong.certificate("root"), right.certificate("root"))
    pem = right.pem("leaf") + right.pem("inter")
    pfx = scene.write("/root/right.pfx", as_pfx(pem, key_bytes(right.key_name("leaf")), b"right"))
    run = scene.opened(site="Berlin", **scene.certificate(wrong))
    scene.run(certificate.STEP, run)
    scene.prompter.typed = ["certificate", str(pfx), "right"]
    scene.run(site.STEP, run)

    uninstall(operator_of(scene.root), {}, offline=False, keep_data=True, yes=True)

    assert generations.leaf_in_use(scene.files) == right.certificate("leaf")
    assert scene.files.read(paths.SITE_PFX) == pfx.read_bytes()
    # The step's other data is removed, since the next installation may join another site.
    assert scene.journal.receipt.entries == {}


_SERVER = "22222222-0000-0000-0000-000000000001"
_APPLICATION = Application(id="22222222-0000-0000-0000-000000000002", display_name="mstunnel gw1")


@dataclass
class Tenant(FakeGraph):
    """A tenant with this server and its application, whose `refused` object this sign-in cannot remove."""

    refused: str = ""
    removed: list[str] = field(default_factory=list)

    def application(self, object_id: str) -> Application | None:
        return _APPLICATION if object_id == _APPLICATION.id else None

    def require_changeable(self, application: Application) -> None:
        self._require(application.display_name)

    def delete_application(self, object_id: str) -> bool:
        return self._remove("application", object_id)

    def delete_server(self, site_id: str, server_id: str) -> bool:
        return self._remove("server", server_id)

    def _remove(self, kind: str, object_id: str) -> bool:
        self._require(kind)
        self.removed.append(object_id)
        return True

    def _require(self, what: str) -> None:
        if self.refused and self.refused in what:
            raise SignInError("permission-missing", "Graph denied access: 403", hint="Grant consent.")


@pytest.fixture
def registered(installed: Path) -> Scene:
    """Return the host after its registration and one further step."""
    tenant = Tenant()
    scene = Scene(installed, graph=tenant)
    scene.finished(
        {"kind": "create-app-identity", "display_name": _APPLICATION.display_name, "credential_path": ""},
        f"application:{_APPLICATION.display_name}",
        {"application_object_id": _APPLICATION.id},
    )
    scene.registered(BERLIN, _SERVER)
    launched = [WriteFile(path="/etc/later", text="gateway")]
    scene.run(Step("launch", "Launch", lambda _run: None, lambda _facts: launched), scene.opened())
    return scene


def removed(scene: Scene) -> list[str]:
    """Uninstall with a signed-in administrator; return the objects removed from the tenant."""
    run = scene.opened()
    run.administrator = True
    remove_installation(run)
    assert isinstance(scene.graph, Tenant)
    return scene.graph.removed


@pytest.mark.parametrize("right", [_APPLICATION.display_name, "server"])
def test_sign_in_without_permission_to_remove_changes_nothing(registered: Scene, right: str) -> None:
    """The answers name an application without the permission, or the person lacks a role."""
    registered.graph = tenant = Tenant(refused=right)
    before = registered.journal.receipt.entries
    with refused(SignInError, "permission-missing") as caught:
        removed(registered)
    assert caught.value.hint.startswith("Nothing was removed from this server. Sign in as ")
    assert "mst-cli uninstall --offline" in caught.value.hint
    assert tenant.removed == []
    assert registered.files.read("/etc/later") == b"gateway"
    assert registered.journal.receipt.entries == before


def test_uninstall_cleans_the_tenant_before_the_server(registered: Scene) -> None:
    assert removed(registered) == [_SERVER, _APPLICATION.id]
    assert registered.files.state("/etc/later") is None
    assert registered.journal.receipt.entries == {}
