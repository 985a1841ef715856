"""`mst-cli cert hook`: the hooks of certbot and acme.sh, for the right certificate, and taken back again."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.certificates.acme_clients import acme_settings
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.install import renewal_hook
from mstunnel_setup.install.renewal_hook import ACME_HOOK, CERTBOT_HOOK, HOOKS
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.certificates.authority import Authority
from tests.unit.install.scenes import BERLIN, Scene
from tests.unit.operations.conftest import Server

ACME = shutil.which("acme.sh")
NAME = "vpn.example.com"
HOME = "/root/.acme.sh"
_LINEAGE = f"/etc/letsencrypt/live/{NAME}"
_OURS = f"{HOME}/{NAME}_ecc"

with_acme_sh = pytest.mark.skipif(ACME is None, reason="acme.sh is not installed")


def keep(server: Server, directory: str, names: tuple[str, str], certificate: str = "good") -> Path:
    """Put a certificate with its key where an ACME client has them."""
    place = server.file(directory)
    place.mkdir(parents=True)
    for name, source in zip(names, (f"{certificate}-chain.pem", f"{certificate}.key"), strict=True):
        shutil.copy(server.place / source, place / name)
    return place


@pytest.fixture
def certbot(installed: Server) -> Server:
    """A server whose certificate certbot renews, as one of two."""
    keep(installed, _LINEAGE, ("fullchain.pem", "privkey.pem"))
    keep(installed, "/etc/letsencrypt/live/another.example", ("fullchain.pem", "privkey.pem"), "next")
    installed.file("/etc/letsencrypt/live/README").write_text("The certificates.\n")
    return installed


@pytest.fixture
def acme_sh(installed: Server) -> Server:
    """A server whose certificate acme.sh renews."""
    place = keep(installed, _OURS, ("fullchain.cer", f"{NAME}.key"))
    for name in (f"{NAME}.cer", "ca.cer"):
        shutil.copy(place / "fullchain.cer", place / name)
    (place / f"{NAME}.conf").write_text(f"Le_Domain='{NAME}'\nLe_Keylength='ec-256'\n")
    return installed


def recorded(server: Server) -> dict[str, str]:
    return acme_settings(Files(server.root), _OURS, NAME)


def test_certbot_gets_a_hook_for_the_certificate_in_use(certbot: Server) -> None:
    code, found = certbot.json("cert", "hook", "certbot")
    assert (code, found["status"]) == (0, "changed")
    assert found["data"] == {"client": "certbot", "name": NAME, "hook": CERTBOT_HOOK, "in_use": True}
    hook = certbot.file(CERTBOT_HOOK)
    assert hook.stat().st_mode & 0o777 == 0o755
    assert f'[ "$RENEWED_LINEAGE" = {_LINEAGE} ] || exit 0' in hook.read_text()
    assert certbot.json("cert", "hook", "certbot")[1]["status"] == "unchanged"


def test_hook_is_removed_with_the_installation(certbot: Server) -> None:
    certbot("cert", "hook", "certbot")
    code, _, err = certbot("uninstall", "--offline", "--yes")
    assert code == 0, err
    assert not certbot.file(CERTBOT_HOOK).exists()
    assert certbot.file(_LINEAGE).exists()


def test_hook_of_an_administrator_is_restored(certbot: Server) -> None:
    """A file that was written by hand at this place is replaced, and back after uninstallation."""
    hook = certbot.file(CERTBOT_HOOK)
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")
    certbot("cert", "hook", "certbot")
    certbot("uninstall", "--offline", "--yes")
    assert hook.read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("client", HOOKS)
def test_absent_client_is_refused(installed: Server, client: str) -> None:
    code, found = installed.json("cert", "hook", client)
    (error,) = found["errors"]
    assert (code, error["code"]) == (ExitCode.USAGE, "acme-client-missing")
    assert client in error["message"]


def test_client_without_a_certificate_of_the_site_is_refused(installed: Server) -> None:
    keep(installed, "/etc/letsencrypt/live/another.example", ("fullchain.pem", "privkey.pem"), "next")
    _, found = installed.json("cert", "hook", "certbot")
    assert found["errors"][0]["code"] == "acme-certificate-missing"
    assert not installed.file(CERTBOT_HOOK).exists()


@with_acme_sh
def test_acme_sh_gets_a_reload_command_until_uninstallation(acme_sh: Server) -> None:
    code, found = acme_sh.json("cert", "hook", "acme.sh")
    assert (code, found["status"], found["data"]["hook"]) == (0, "changed", ACME_HOOK), found
    reload = recorded(acme_sh)["Le_ReloadCmd"]
    assert ACME_HOOK in reload
    assert subprocess.run(["sh", "-n", acme_sh.file(ACME_HOOK)], check=False).returncode == 0
    assert acme_sh.json("cert", "hook", "acme.sh")[1]["status"] == "unchanged"
    code, _, err = acme_sh("uninstall", "--offline", "--yes")
    assert code == 0, err
    assert recorded(acme_sh)["Le_ReloadCmd"] == ""
    assert not acme_sh.file(ACME_HOOK).exists()


@with_acme_sh
def test_reload_command_that_was_changed_stays(acme_sh: Server) -> None:
    acme_sh("cert", "hook", "acme.sh")
    conf = acme_sh.file(f"{_OURS}/{NAME}.conf")
    conf.write_text("Le_ReloadCmd='systemctl reload nginx'\n")
    acme_sh("uninstall", "--offline", "--yes")
    assert recorded(acme_sh)["Le_ReloadCmd"] == "systemctl reload nginx"


@pytest.mark.parametrize("setting", ["Le_ReloadCmd='reload nginx'", "Le_RealKeyPath='/etc/nginx/key.pem'"])
def test_installation_by_acme_sh_for_others_is_not_replaced(acme_sh: Server, setting: str) -> None:
    conf = acme_sh.file(f"{_OURS}/{NAME}.conf")
    conf.write_text(f"{setting}\n")
    _, found = acme_sh.json("cert", "hook", "acme.sh")
    (error,) = found["errors"]
    assert error["code"] == "acme-install-taken"
    assert "import_cert --unattended --if-changed" in error["hint"]
    assert conf.read_text() == f"{setting}\n"


def test_command_that_imports_already_is_kept(acme_sh: Server) -> None:
    acme_sh.file(f"{_OURS}/{NAME}.conf").write_text("Le_ReloadCmd='mst-cli import_cert --if-changed'\n")
    assert acme_sh.json("cert", "hook", "acme.sh")[1]["status"] == "unchanged"


def step(server: Server, *words: str) -> tuple[int, str]:
    """Run the installation's step `certificate` with further words."""
    given = ["--root", str(server.root), "--unattended", *server.given("good")]
    code = run_app(setup.app, "mstunnel-setup", ["step", "certificate", *given, *words])
    return code, server.capsys.readouterr().err


def test_answer_writes_the_hook_and_none_removes_it(certbot: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTUNNEL_CERTIFICATE_RENEWAL_HOOK", "certbot")
    code, err = step(certbot)
    assert code == 0, err
    assert certbot.file(CERTBOT_HOOK).exists()
    monkeypatch.setenv("MSTUNNEL_CERTIFICATE_RENEWAL_HOOK", "none")
    code, err = step(certbot)
    assert code == 0, err
    assert not certbot.file(CERTBOT_HOOK).exists()


def test_answer_with_an_absent_client_stops_before_any_change(
    installed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTUNNEL_CERTIFICATE_RENEWAL_HOOK", "certbot")
    code, err = step(installed)
    assert (code, "acme-client-missing" in err) == (ExitCode.USAGE, True), err


@pytest.fixture
def joined(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A host that joined a site, with two certificates of certbot for its address."""
    scene, place = Scene(tmp_path), tmp_path_factory.mktemp("authority")
    authority = Authority(place, name=str(BERLIN.public_address))
    for name, days in (("old", "30"), ("new", "60")):
        authority.issue(name, "server", "-days", days)
        scene.write(f"/etc/letsencrypt/live/{name}/fullchain.pem", (place / f"{name}.pem").read_bytes())
    scene.join(BERLIN)
    return scene


def test_latest_certificate_for_the_site_is_chosen(joined: Scene) -> None:
    run = joined.opened()
    assert renewal_hook.renewed(run, "certbot", BERLIN.public_address).name == "new"
    with refused(UsageError, "acme-certificate-missing"):
        renewal_hook.renewed(run, "certbot", "elsewhere.example")


def test_rootless_gateway_gets_no_hook(joined: Scene) -> None:
    with refused(UsageError, "renewal-hook-rootless"):
        renewal_hook.renewed(joined.opened(mode="rootless"), "certbot", BERLIN.public_address)


def offers(run: Run) -> list[str]:
    return [found.name for found, _actions in renewal_hook.offered(run)]


def test_hook_is_offered_for_the_certificate_in_use_once(joined: Scene) -> None:
    run = joined.opened()
    assert offers(run) == []
    joined.write(
        f"{paths.ACTIVE}/chain.pem", joined.files.read("/etc/letsencrypt/live/new/fullchain.pem") or b""
    )
    assert offers(run) == ["new"]
    run.answers = joined.opened(certificate__renewal_hook="none").answers
    assert offers(run) == []
    joined.write(CERTBOT_HOOK, "#!/bin/sh\n")
    run.answers = joined.opened().answers
    assert offers(run) == []
