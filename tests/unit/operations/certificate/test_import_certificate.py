"""`mst-cli import_cert` and `cert check` below another root: what they tell, and what they leave alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, LockedError
from mstunnel_setup.base.text import WIDTH
from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.operations.certificate.import_certificate import ImportRequest, import_certificate
from mstunnel_setup.transaction.lock import exclusive
from tests.unit.certificates.authority import Authority
from tests.unit.certificates.pki import openssl
from tests.unit.clocks import FakeClock
from tests.unit.operations.conftest import Command
from tests.unit.operators import operator_of


def test_a_hook_gets_no_output_when_nothing_is_new(installed: Command) -> None:
    assert installed("import_cert", "--if-changed") == (0, "", "")


@pytest.mark.usefixtures("installed")
def test_a_hook_outlasts_an_upgrade_and_a_person_waits_for_seconds(tmp_path: Path) -> None:
    """certbot calls a hook once: what it gives up is not imported."""
    operator = operator_of(tmp_path / "root", clock=(clock := FakeClock()))
    given = {
        "certificate.chain": [str(tmp_path / "chain.pem")],
        "certificate.key": str(tmp_path / "good.key"),
    }
    with exclusive(operator.files, SystemClock(), paths.LOCK):
        for how, seconds in ((ImportRequest(), 10), (ImportRequest(if_changed=True), 3600)):
            started = clock.elapsed
            with pytest.raises(LockedError):
                import_certificate(operator, given, how)
            assert clock.elapsed - started == pytest.approx(seconds, abs=1)


def test_a_trial_judges_the_certificate_in_use_as_well(installed: Command) -> None:
    code, out, _ = installed("import_cert", "--dry-run", "--output", "json")
    data: dict[str, Any] = json.loads(out)["data"]
    assert (code, data["in_use"]) == (0, True)
    assert data["findings"]
    assert all(set(finding) == {"id", "severity", "message", "hint"} for finding in data["findings"])


def test_a_chain_in_two_files_is_the_same_certificate(installed: Command, tmp_path: Path) -> None:
    def judged(*more: str) -> set[str]:
        _, out, _ = installed("import_cert", "--dry-run", "--output", "json", *more)
        data: dict[str, Any] = json.loads(out)["data"]
        assert data["in_use"]
        return {finding["id"] for finding in data["findings"]} - {"chain-reordered"}

    whole = judged()
    (tmp_path / "chain.pem").write_bytes((tmp_path / "good.pem").read_bytes())
    assert judged("--cert", str(tmp_path / "ca.pem")) == whole
    code, out, _ = installed("import_cert", "--dry-run", "--output", "json")
    assert (code, json.loads(out)["errors"][0]["code"]) == (ExitCode.CERTIFICATE, "chain-incomplete")


def test_what_excludes_each_other_changes_nothing(installed: Command) -> None:
    code, _, err = installed("import_cert", "--list", "--cancel", "x")
    assert code == ExitCode.USAGE
    assert "--list and --cancel cannot be combined" in err


def test_findings_are_folded(installed: Command) -> None:
    _, out, _ = installed("cert", "check")
    assert "warning" in out
    assert all(len(line) <= WIDTH for line in out.splitlines())


def test_without_options_the_files_of_the_installation_do_not_overwrite_a_renewal(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installation remembers the paths that it was given."""
    common = ["--root", str(tmp_path / "root"), "--unattended"]
    given = ["--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "good.key")]
    assert run_app(setup.app, "mstunnel-setup", ["step", "eula", "--accept-eula", *common, *given]) == 0
    settings = tmp_path / "root/etc/mstunnel"
    chain = (tmp_path / "next.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes()
    key = (tmp_path / "next.key").read_bytes()
    (settings / "certs/site.crt").write_bytes(chain)
    (settings / "private/site.key").write_bytes(key)
    capsys.readouterr()
    for expected in ("The new certificate is in place.", "This certificate is in use already."):
        assert run_app(mst_cli.app, "mst-cli", ["import_cert", *common]) == 0
        assert expected in capsys.readouterr().out
        assert (settings / "certs/site.crt").read_bytes() == chain
        assert (settings / "private/site.key").read_bytes() == key


@pytest.mark.parametrize("passphrase", ["secret", ""])
def test_a_passphrase_file_is_enough_for_a_pfx_at_its_usual_place(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], passphrase: str
) -> None:
    """An empty file is an empty passphrase."""
    (folder := tmp_path / "again").mkdir()
    authority = Authority(folder, name="vpn.example.com")
    authority.issue("fresh")
    leaf = ["-in", str(folder / "fresh.pem"), "-inkey", str(folder / "fresh.key")]
    pfx = tmp_path / "root/etc/mstunnel/private/site.pfx"
    protection = ["-certfile", str(folder / "ca.pem"), "-passout", f"pass:{passphrase}"]
    pfx.write_bytes(openssl("pkcs12", "-export", *leaf, *protection))
    pfx.chmod(0o600)
    secret = tmp_path / "passphrase"
    secret.write_text(passphrase)
    secret.chmod(0o600)
    options = ["--root", str(tmp_path / "root"), "--unattended", "--passphrase-file", str(secret), "--yes"]
    assert run_app(mst_cli.app, "mst-cli", ["import_cert", *options]) == 0
    assert "The new certificate is in place." in capsys.readouterr().out


def test_an_older_file_at_the_usual_place_is_named(
    installed: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the PEM of an earlier certificate is, beside a PFX that is in use."""
    (folder := tmp_path / "again").mkdir()
    authority = Authority(folder, name="vpn.example.com")
    end = datetime.now(UTC) + timedelta(days=20)
    dates = ("-startdate", "20260101000000Z", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
    authority.issue("earlier", "server", *dates)
    site = tmp_path / "root/etc/mstunnel/certs/site.crt"
    site.write_bytes((folder / "earlier.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    key = tmp_path / "root/etc/mstunnel/private/site.key"
    key.write_bytes((folder / "earlier.key").read_bytes())
    code = run_app(mst_cli.app, "mst-cli", ["import_cert", "--root", str(tmp_path / "root"), "--unattended"])
    assert code == ExitCode.CERTIFICATE
    assert f"the certificate in {site} and {key} is older" in " ".join(capsys.readouterr().err.split())
