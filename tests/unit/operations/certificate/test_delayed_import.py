"""What a delayed import leaves behind once its certificate is in use."""

from pathlib import Path

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import CopyFile
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.operations.certificate.activation import apply_actions, installed_run
from mstunnel_setup.operations.certificate.delayed_import import take_pending
from mstunnel_setup.tls import generations
from mstunnel_setup.tls.schedule import ScheduleImport, pending_imports
from tests.unit.operations.conftest import Command
from tests.unit.operators import operator_of


def test_our_copy_of_the_previous_certificate_in_the_other_format_goes(
    installed: Command, tmp_path: Path
) -> None:
    """A later import without options would take it for a new certificate, and refuse it as older."""
    pfx = tmp_path / "previous.pfx"
    pfx.write_bytes(b"previous")
    chain = tmp_path / "next-chain.pem"
    chain.write_bytes((tmp_path / "next.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes())
    answers = {"certificate.chain": [str(chain)], "certificate.key": str(tmp_path / "next.key")}
    with installed_run(operator_of(tmp_path / "root"), answers) as run:
        found = certificate.find(run.context)
        digest = str(run.files.digest_given(str(pfx)))
        copy = CopyFile(path=paths.SITE_PFX, source=str(pfx), digest=digest, mode=0o600)
        pending = ScheduleImport(
            name="next",
            at=run.context.ports.clock.now().isoformat(),
            fingerprint=found.fingerprint,
            program="/bin/true",
            copied=True,
            timer=False,
        )
        apply_actions(run, "Hand in", [copy, *certificate.placing(found), pending])

        take_pending(run, "next")

        assert generations.linked(run.context.ports) == found.fingerprint
        assert run.files.state(paths.SITE_PFX) is None
        assert run.files.state(paths.SITE_CERTIFICATE) is not None
        assert pending_imports(run.context.receipt) == ()
    assert (
        installed("import_cert", "--if-changed", "--key", str(tmp_path / "next.key"), "--cert", str(chain))[0]
        == 0
    )
