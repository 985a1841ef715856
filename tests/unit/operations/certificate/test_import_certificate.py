"""`mst-cli import_cert`: output, refusals, times of activation, and delayed imports."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.certificates import ScheduleImport, pending_imports
from mstunnel_setup.actions.files import CopyFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, ExitCode, LockedError, UsageError
from mstunnel_setup.base.text import WIDTH
from mstunnel_setup.certificates import generations
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.mst_cli import ImportOptions
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, installed_run, open_run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.operations.certificate.delayed_import import (
    cancel_pending,
    overdue,
    schedule,
    take,
    take_pending,
)
from mstunnel_setup.operations.certificate.import_certificate import ImportRequest, import_certificate
from mstunnel_setup.transaction.lock import exclusive
from mstunnel_setup.transaction.receipt import remembered
from tests.refusals import refused
from tests.unit.certificates.authority import Authority
from tests.unit.certificates.pki import openssl
from tests.unit.clocks import FakeClock
from tests.unit.operations.conftest import Server
from tests.unit.operators import operator_of


def answers_for(server: Server, name: str) -> dict[str, object]:
    """Return the answers that name a certificate."""
    _cert, chain, _key, key = server.given(name)
    return {"certificate.chain": [chain], "certificate.key": key}


def test_hook_gets_no_output_for_an_unchanged_certificate(installed: Server) -> None:
    assert installed("import_cert", "--if-changed") == (0, "", "")


def test_hook_waits_for_an_upgrade_and_a_person_for_seconds(installed: Server) -> None:
    """certbot calls a hook once: what it gives up is not imported."""
    operator = operator_of(installed.root, clock=(clock := FakeClock()))
    given = answers_for(installed, "good")
    with exclusive(operator.files, Clock(), paths.LOCK):
        for how, seconds in ((ImportRequest(), 10), (ImportRequest(if_changed=True), 3600)):
            started = clock.elapsed
            with pytest.raises(LockedError):
                import_certificate(operator, given, how)
            assert clock.elapsed - started == pytest.approx(seconds, abs=1)


def test_dry_run_checks_the_certificate_in_use_too(installed: Server) -> None:
    code, found = installed.json("import_cert", "--dry-run")
    data = found["data"]
    assert (code, data["in_use"]) == (0, True)
    assert data["findings"]
    assert all(set(finding) == {"id", "severity", "message", "hint"} for finding in data["findings"])


def test_dry_run_shows_each_finding_once(installed: Server) -> None:
    trial = ("import_cert", "--dry-run", *installed.given("next"))
    found = installed.json(*trial)[1]["data"]["findings"]
    _, out, err = installed(*trial)
    shown = " ".join(f"{out} {err}".split())
    assert [shown.count(" ".join(each["message"].split())) for each in found] == [1] * len(found)


def test_key_from_an_earlier_run_is_named(installed: Server) -> None:
    common = ["--root", str(installed.root), "--unattended", *installed.given("good")]
    assert run_app(setup.app, "mstunnel-setup", ["step", "eula", "--accept-eula", *common]) == 0
    chain = str(installed.place / "next-chain.pem")
    code, _, err = installed("import_cert", "--cert", chain, bare=True)
    assert code == ExitCode.CERTIFICATE
    assert f"the key is {installed.place / 'good.key'}" in " ".join(err.split())


def test_chain_in_two_files_is_the_same_certificate(installed: Server) -> None:
    def judged(*more: str) -> set[str]:
        data = installed.json("import_cert", "--dry-run", *more)[1]["data"]
        assert data["in_use"]
        return {finding["id"] for finding in data["findings"]} - {"chain-reordered"}

    whole = judged()
    shutil.copy(installed.place / "good.pem", installed.place / "good-chain.pem")
    assert judged("--cert", str(installed.place / "ca.pem")) == whole
    code, found = installed.json("import_cert", "--dry-run")
    assert (code, found["errors"][0]["code"]) == (ExitCode.CERTIFICATE, "chain-incomplete")


def test_conflicting_options_change_nothing(installed: Server) -> None:
    code, _, err = installed("import_cert", "--list", "--cancel", "x")
    assert code == ExitCode.USAGE
    assert "--list and --cancel cannot be combined" in " ".join(err.split())


def test_findings_are_folded(installed: Server) -> None:
    _, out, _ = installed("cert", "check")
    assert "warning" in out
    assert all(len(line) <= WIDTH for line in out.splitlines())


def test_installation_files_do_not_overwrite_a_renewal(
    installed: Server,
) -> None:
    """The installation records the paths that it was given."""
    common = ["--root", str(installed.root), "--unattended", *installed.given("good")]
    assert run_app(setup.app, "mstunnel-setup", ["step", "eula", "--accept-eula", *common]) == 0
    chain, key = (installed.place / name for name in ("next-chain.pem", "next.key"))
    usual = {installed.file(paths.SITE_CERTIFICATE): chain, installed.file(paths.SITE_KEY): key}
    for place, source in usual.items():
        shutil.copyfile(source, place)
    for expected in ("The new certificate is in place.", "This certificate is in use already."):
        code, out, _ = installed("import_cert", bare=True)
        assert (code, expected in out) == (0, True)
        assert all(place.read_bytes() == source.read_bytes() for place, source in usual.items())


@pytest.mark.parametrize("passphrase", ["secret", ""])
def test_usual_pfx_needs_only_a_passphrase_file(installed: Server, passphrase: str) -> None:
    """An empty file is an empty passphrase."""
    leaf = ["-in", str(installed.place / "next-chain.pem"), "-inkey", str(installed.place / "next.key")]
    pfx = installed.file(paths.SITE_PFX)
    pfx.write_bytes(openssl("pkcs12", "-export", *leaf, "-passout", f"pass:{passphrase}"))
    pfx.chmod(0o600)
    secret = installed.place / "passphrase"
    secret.write_text(passphrase)
    secret.chmod(0o600)
    code, out, _ = installed("import_cert", "--passphrase-file", str(secret), "--yes", bare=True)
    assert (code, "The new certificate is in place." in out) == (0, True)


def test_older_file_at_the_usual_place_is_named(installed: Server) -> None:
    """An example is the PEM of an earlier certificate beside the PFX in use."""
    (folder := installed.place / "again").mkdir()
    authority = Authority(folder, name="vpn.example.com")
    end = datetime.now(UTC) + timedelta(days=20)
    dates = ("-startdate", "20260101000000Z", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
    authority.issue("earlier", "server", *dates)
    site, key = installed.file(paths.SITE_CERTIFICATE), installed.file(paths.SITE_KEY)
    site.write_bytes((folder / "earlier.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    key.write_bytes((folder / "earlier.key").read_bytes())
    code, _, err = installed("import_cert", bare=True)
    assert code == ExitCode.CERTIFICATE
    assert f"the certificate in {site} and {key} is older" in " ".join(err.split())


def test_newer_certificate_that_ends_earlier_is_refused(installed: Server) -> None:
    """This happens when an authority shortens lifetimes from 90 to 47 days."""
    (folder := installed.place / "again").mkdir()
    authority = Authority(folder, name="vpn.example.com")
    end = datetime.now(UTC) + timedelta(days=47)
    authority.issue("shorter", "server", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
    (folder / "shorter-chain.pem").write_bytes(
        (folder / "shorter.pem").read_bytes() + (folder / "ca.pem").read_bytes()
    )
    given = ("--cert", str(folder / "shorter-chain.pem"), "--key", str(folder / "shorter.key"))
    before = installed.in_use
    code, found = installed.json("import_cert", *given, "--if-changed")
    assert (code, found["errors"][0]["code"]) == (ExitCode.CERTIFICATE, "certificate-ends-earlier")
    assert "--yes" in found["errors"][0]["hint"]
    assert installed.in_use == before


NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ALL = NOW.replace(microsecond=0)


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({}, None),
        ({"list_pending": True}, None),
        ({"cancel": "abc"}, None),
        ({"dry_run": True}, None),
        ({"word": "delay", "minutes": "0"}, None),
        ({"word": "delay", "minutes": "10080"}, ALL + timedelta(days=7)),
        ({"delay": 5}, ALL + timedelta(minutes=5)),
        ({"at": "2026-06-02T03:00+02:00"}, datetime(2026, 6, 2, 1, tzinfo=UTC)),
        ({"at": "2026-06-02 03:00Z"}, datetime(2026, 6, 2, 3, tzinfo=UTC)),
    ],
)
def test_time_of_the_activation(options: dict[str, Any], due: datetime | None) -> None:
    assert ImportOptions(**options).request().due(NOW) == due


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"word": "delay"}, "delay-unclear"),
        ({"word": "dely", "minutes": "5"}, "delay-unclear"),
        ({"word": "delay", "minutes": "-5"}, "delay-unclear"),
        ({"word": "delay", "minutes": "99999999"}, "delay-too-long"),
        ({"delay": 5, "at": "2026-06-02T03:00"}, "time-twice"),
        ({"at": "tomorrow"}, "time-unclear"),
        ({"at": "2026-06-01T11:59Z"}, "time-past"),
        ({"list_pending": True, "cancel": "abc"}, "import-unclear: --list and --cancel cannot be combined"),
        ({"dry_run": True, "cancel": "abc"}, "import-unclear: --cancel and --dry-run cannot be combined"),
        ({"list_pending": True, "dry_run": True}, "import-unclear: --list and --dry-run cannot be combined"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        ImportOptions(**options).request().due(NOW)
    assert f"{caught.value.code}: {caught.value.message!s}".startswith(problem)


def giving_next(server: Server) -> AbstractContextManager[Run]:
    """Open a run with the certificate `next` while `good` is in use."""
    return installed_run(operator_of(server.root), InstallRequest(answers_for(server, "next")))


def handed_in(run: Run) -> ScheduleImport:
    """Store the certificate for a delayed import that is due now."""
    found = certificate.find(run)
    pending = ScheduleImport(
        name="next",
        at=run.host.clock.now().isoformat(),
        fingerprint=found.fingerprint,
        program="/bin/true",
        copied=True,
        timer=False,
    )
    apply_actions(run, "Hand in", [*certificate.placing(found), pending])
    return pending


def test_previous_copy_in_the_other_format_is_removed(installed: Server) -> None:
    """A later import without options would take it for a new certificate, and refuse it as older."""
    pfx = installed.place / "previous.pfx"
    pfx.write_bytes(b"previous")
    with giving_next(installed) as run:
        digest = str(run.files.digest_given(str(pfx)))
        copy = CopyFile(path=paths.SITE_PFX, source=str(pfx), digest=digest, mode=0o600)
        apply_actions(run, "Copies for the usual places", [copy])
        pending = handed_in(run)

        take_pending(run, "next")

        assert generations.linked(run.files) == pending.fingerprint
        assert run.files.state(paths.SITE_PFX) is None
        assert run.files.state(paths.SITE_CERTIFICATE) is not None
        assert pending_imports(run.receipt) == ()


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `next` count as older than `good`."""
    monkeypatch.setattr(generations, "is_step_back", lambda _candidate, _current: True)


@pytest.mark.usefixtures("older")
def test_older_certificate_is_imported_after_agreement(installed: Server) -> None:
    with giving_next(installed) as run:
        due = run.host.clock.now() + timedelta(hours=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mstunnel_setup.io.files.Files.live", True)
            schedule(run, certificate.find(run), due)
        pending = pending_imports(run.receipt)[0]
        assert pending.instead_of == installed.in_use

        take_pending(run, pending.name)
        assert installed.in_use == pending.fingerprint


@pytest.mark.usefixtures("older")
def test_older_certificate_than_one_imported_since_is_refused(installed: Server) -> None:
    with giving_next(installed) as run:
        pending = handed_in(run)
        for given_up in ("", "another"):
            apply_actions(run, "Hand in", [replace(pending, instead_of=given_up)])
            with refused(CertificateError, "import-older"):
                take_pending(run, "next")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Provide a run with two overdue imports whose certificates are gone."""
    for name in ("etc", "run", "var/lib", "var/log"):
        (tmp_path / name).mkdir(parents=True)
    with open_run(operator_of(tmp_path)) as run:
        at = (Clock().now() - timedelta(hours=1)).isoformat()
        waiting = [
            ScheduleImport(name=name, at=at, fingerprint=name, program="/bin/true", timer=False)
            for name in ("first", "second")
        ]
        apply_actions(run, "Hand in", waiting)
        yield run


def tried(run: Run) -> set[str]:
    found = remembered(run.receipt, "imports-tried")
    assert isinstance(found, dict)
    return set(found)


def attempt(run: Run) -> None:
    """Try each pending import and check that it is refused."""
    for pending in pending_imports(run.receipt):
        with pytest.raises(CertificateError):
            take(run, pending)


@pytest.mark.parametrize(
    ("minutes", "due"),
    [
        (59, []),
        (61, ["first", "second"]),
        # The clock was ahead at the last try.
        (-1, ["first", "second"]),
    ],
)
def test_refused_import_is_retried_an_hour_later(run: Run, minutes: int, due: list[str]) -> None:
    attempt(run)
    found = overdue(run.receipt, Clock().now() + timedelta(minutes=minutes), timers=False)
    assert [pending.name for pending in found] == due


def test_record_of_removed_imports_is_deleted(run: Run) -> None:
    attempt(run)
    assert tried(run) == {"first", "second"}
    cancel_pending(run, "first")
    attempt(run)
    assert tried(run) == {"second"}
