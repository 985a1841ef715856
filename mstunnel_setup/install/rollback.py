"""`mstunnel-setup rollback`: undo an unfinished installation."""

from functools import partial

from mstunnel_setup import paths
from mstunnel_setup.install.errors import INSTALLATION_FINISHED
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.session import open_run
from mstunnel_setup.install.status import installed
from mstunnel_setup.install.uninstall import as_data, forget, kept, remove_installation, take_back
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result


def rollback(operator: Operator) -> Result:
    """Undo what an unfinished installation did. Raises UsageError when it is finished."""
    return take_back(operator, partial(_rollback, operator))


def _rollback(operator: Operator) -> Result:
    with open_run(operator, {}, scope=Scope.ACCOUNT if paths.ROOTLESS else None) as run:
        receipt = run.context.receipt
        if not receipt.entries:
            forget(run.files, run.journal)
            return Result("unchanged", text=["There is nothing to roll back."])
        if installed(receipt):
            raise INSTALLATION_FINISHED()
        removals = remove_installation(run)
    text = ["The unfinished installation was rolled back."]
    return Result("changed", as_data(removals), kept(removals), text=text)
