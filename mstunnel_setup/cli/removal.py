"""Taking an installation back: the receipt in reverse, then the journal itself."""

from mstunnel_setup import paths
from mstunnel_setup.cli.render import Notice
from mstunnel_setup.cli.run import RECEIPT, Run
from mstunnel_setup.engine.action import Undo
from mstunnel_setup.engine.runner import Removal
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.steps import revocation, sign_in
from mstunnel_setup.steps.tenancy import in_tenant
from mstunnel_setup.steps.world import CANDIDATE


def remove_installation(run: Run) -> list[Removal]:
    """Undo everything, newest first. Raises SetupError when something refuses; running again continues.

    The administrator signs in first where the tenant has something of ours, so that a refused sign-in leaves
    everything as it is.
    """
    if in_tenant(run.context.receipt):
        run.context.administrator = True
        sign_in.STEP.gather(run.context)
    removals = run.runner.undo()
    forget(run)
    return removals


def kept(removals: list[Removal]) -> tuple[Notice, ...]:
    """A warning for everything that was left in place."""
    return tuple(
        Notice(
            "kept", f"left in place: {removal.undone.reason}", "Remove it by hand if you no longer need it."
        )
        for removal in removals
        if removal.undone.outcome is Undo.KEPT and removal.undone.reason
    )


def as_data(removals: list[Removal]) -> JsonObject:
    """The removals as JSON data."""
    return {
        "objects": [
            {"key": removal.key, "outcome": removal.undone.outcome.value, "reason": removal.undone.reason}
            for removal in removals
        ]
    }


def forget(run: Run) -> None:
    """Remove what only served the installation: log, saved files, receipt, unpacked file; the journal last.

    Nothing of it need be there: a run that was killed right at its beginning, or here, leaves some of it.
    """
    files = run.files
    for name in files.names(f"{paths.STATE}/saved"):
        files.remove(f"{paths.STATE}/saved/{name}")
    if files.state(f"{paths.STATE}/saved") is not None:
        files.remove_directory(f"{paths.STATE}/saved")
    if files.state(paths.STATE) is not None:
        files.remove(RECEIPT)
        files.remove(revocation.LAST)
        files.remove(CANDIDATE)
    if files.state(paths.LOG) is not None:
        files.remove(paths.SETUP_LOG)
        files.remove_directory(paths.LOG)
    files.remove_tree(paths.UNPACKED)
    run.journal.remove()
