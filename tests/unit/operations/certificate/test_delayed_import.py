"""A delayed import: whether it is still wanted when its time comes, and what it leaves behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mstunnel_setup.actions.certificates import ScheduleImport, pending_imports
from mstunnel_setup.actions.files import CopyFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates import generations
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.operations.certificate.activation import apply_actions, installed_run
from mstunnel_setup.operations.certificate.import_certificate import schedule, take_pending
from tests.unit.operators import operator_of


@contextmanager
def server(tmp_path: Path) -> Iterator[Run]:
    """A server to which the certificate `next` is given while `good` is in use."""
    chain = tmp_path / "next-chain.pem"
    chain.write_bytes((tmp_path / "next.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes())
    answers = {"certificate.chain": [str(chain)], "certificate.key": str(tmp_path / "next.key")}
    with installed_run(operator_of(tmp_path / "root"), answers) as run:
        yield run


def handed_in(run: Run) -> ScheduleImport:
    """The certificate is placed, and due now."""
    found = certificate.find(run.context)
    pending = ScheduleImport(
        name="next",
        at=run.context.host.clock.now().isoformat(),
        fingerprint=found.fingerprint,
        program="/bin/true",
        copied=True,
        timer=False,
    )
    apply_actions(run, "Hand in", [*certificate.placing(found), pending])
    return pending


@pytest.mark.usefixtures("installed")
def test_our_copy_of_the_previous_certificate_in_the_other_format_goes(tmp_path: Path) -> None:
    """A later import without options would take it for a new certificate, and refuse it as older."""
    pfx = tmp_path / "previous.pfx"
    pfx.write_bytes(b"previous")
    with server(tmp_path) as run:
        digest = str(run.files.digest_given(str(pfx)))
        copy = CopyFile(path=paths.SITE_PFX, source=str(pfx), digest=digest, mode=0o600)
        apply_actions(run, "Copies for the usual places", [copy])
        pending = handed_in(run)

        take_pending(run, "next")

        assert generations.linked(run.context.host.files) == pending.fingerprint
        assert run.files.state(paths.SITE_PFX) is None
        assert run.files.state(paths.SITE_CERTIFICATE) is not None
        assert pending_imports(run.context.receipt) == ()


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """`next` was issued before `good`."""
    monkeypatch.setattr(generations, "is_older", lambda _candidate, _current: True)


@pytest.mark.usefixtures("installed", "older")
def test_an_older_certificate_is_taken_where_it_was_agreed_to_give_this_one_up(tmp_path: Path) -> None:
    with server(tmp_path) as run:
        given_up = generations.linked(run.context.host.files)
        due = run.context.host.clock.now() + timedelta(hours=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mstunnel_setup.io.files.Files.live", True)
            schedule(run, certificate.find(run.context), due)
        pending = pending_imports(run.context.receipt)[0]
        assert pending.instead_of == given_up

        take_pending(run, pending.name)
        assert generations.linked(run.context.host.files) == pending.fingerprint


@pytest.mark.usefixtures("installed", "older")
def test_an_older_certificate_is_refused_where_a_newer_one_came_meanwhile(tmp_path: Path) -> None:
    with server(tmp_path) as run:
        pending = handed_in(run)
        for given_up in ("", "another"):
            apply_actions(run, "Hand in", [replace(pending, instead_of=given_up)])
            with pytest.raises(CertificateError) as caught:
                take_pending(run, "next")
            assert caught.value.code == "import-older"
