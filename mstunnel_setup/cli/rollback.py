"""`mstunnel-setup rollback`: undo an installation that did not come to its end."""

from functools import partial

from mstunnel_setup import paths
from mstunnel_setup.cli.removal import as_data, forget, kept, remove_installation
from mstunnel_setup.cli.removal_halves import take_back
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import open_run
from mstunnel_setup.cli.status import installed
from mstunnel_setup.errors import UsageError
from mstunnel_setup.steps.half import Half


def rollback(session: Session) -> Result:
    """Take back what an unfinished installation did. Raises UsageError when it is finished."""
    return take_back(session, partial(_rollback, session))


def _rollback(session: Session) -> Result:
    with open_run(session, {}, half=Half.ACCOUNT if paths.ROOTLESS else None) as run:
        receipt = run.context.receipt
        if not receipt.entries:
            forget(run)
            return Result("unchanged", text=["There is nothing to take back."])
        if installed(receipt):
            raise UsageError(
                "installation-finished", "the installation is complete", "Remove it with `mst-cli uninstall`."
            )
        removals = remove_installation(run)
    text = ["The unfinished installation was taken back."]
    return Result("changed", as_data(removals), kept(removals), text=text)
