"""`mst-cli import_cert`: take a new TLS certificate into use."""

import json

from mstunnel_setup import paths
from mstunnel_setup.cli.options import CertificateOptions
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import open_run
from mstunnel_setup.errors import UsageError
from mstunnel_setup.steps import certificate, verify
from mstunnel_setup.steps.context import Context


def import_certificate(session: Session, options: CertificateOptions) -> Result:
    """Judge the certificate, switch to it, and wait until the running gateway serves it.

    Without options it is read from its usual place. Sessions stay up; the gateway notices by itself.
    """
    with open_run(session, options.settings()) as run:
        if not run.context.receipt.entries:
            raise UsageError(
                "not-installed", "no gateway is installed here", "Install one with mstunnel-setup."
            )
        (done,) = run.runner.run([certificate.STEP], run.context)
        serving = _prove(run.context)
        run.write_receipt()
    if not done.actions:
        return Result("unchanged", text=["This certificate is in use already."])
    proof = (
        "The gateway serves it." if serving else "The gateway is not running; it will serve it when started."
    )
    return Result("changed", {"serving": serving}, text=[f"The new certificate is in place. {proof}"])


def _prove(context: Context) -> bool:
    """Whether a gateway runs; if so, it serves the new leaf when this returns. Raises NetworkError."""
    state = context.world.engine.inspect(paths.SERVER)
    settings = context.world.files.read(paths.ADMIN_SETTINGS)
    if state is None or state.status != "running" or settings is None:
        return False
    verify.serves(context, int(json.loads(settings)["ListenPort"]))
    return True
