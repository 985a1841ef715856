"""Taking an installation back: the receipt in reverse, then the journal itself."""

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Undo
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.runner import Removal
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.host.files import Files
from mstunnel_setup.install import revocation
from mstunnel_setup.install.errors import KEPT
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import sign_in
from mstunnel_setup.install.tenant_access import in_tenant
from mstunnel_setup.install.world import CANDIDATE
from mstunnel_setup.result import Notice
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.upgrade import record

_TENANT = frozenset({CreateAppIdentity.kind, RegisterServer.kind})
_DATA_STEPS = frozenset({"eula", "environment", "certificate", "import"})


def remove_installation(run: Run, *, offline: bool = False, keep_data: bool = False) -> list[Removal]:
    """Undo everything, newest first. Raises SetupError when something refuses; running again continues.

    The administrator signs in first where the tenant has something of ours, so that a refused sign-in leaves
    everything as it is; with `offline` what is there stays and is named. With `keep_data` so does what an
    administrator brought or wrote below /etc/mstunnel.
    """
    left = run.runner.leave(_left_in_tenant(run.context.receipt)) if offline else []
    if in_tenant(run.context.receipt):
        run.context.administrator = True
        sign_in.STEP.gather(run.context)
    left += run.runner.leave(_data(run.context.receipt)) if keep_data else []
    if run.scope is not Scope.HOST:
        run.files.remove(paths.LOG_LEVEL)
    removals = run.runner.undo()
    forget(run)
    return [*left, *removals]


def _left_in_tenant(receipt: Receipt) -> dict[str, str]:
    words = {CreateAppIdentity.kind: "the application {} in the tenant", RegisterServer.kind: "the record {}"}
    found = [entry for entry in receipt.entries.values() if entry.versions[-1]["kind"] in _TENANT]
    return {
        entry.key: words[str(entry.versions[-1]["kind"])].format(entry.key.partition(":")[2])
        for entry in found
    }


def _data(receipt: Receipt) -> dict[str, str]:
    ours = [entry for entry in receipt.entries.values() if entry.step in _DATA_STEPS]
    paths_of = {entry.key: entry.key.partition(":")[2] for entry in ours}
    return {key: path for key, path in paths_of.items() if path.startswith(paths.CONFIGURATION)}


def kept(removals: list[Removal]) -> tuple[Notice, ...]:
    """A warning for everything that was left in place."""
    return tuple(
        KEPT(reason=removal.undone.reason)
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
    """Remove what only served the installation: log, saved files, receipt; the journal last.

    Nothing of it need be there: a run that was killed right at its beginning, or here, leaves some of it.
    """
    files = run.files
    state = run.journal.directory
    for name in files.names(f"{state}/saved"):
        files.remove(f"{state}/saved/{name}")
    if files.state(f"{state}/saved") is not None:
        files.remove_directory(f"{state}/saved")
    if files.state(state) is not None:
        files.remove(f"{state}/receipt.json")
        files.remove(revocation.LAST)
        files.remove(CANDIDATE)
        files.remove(record.HISTORY)
        files.remove(paths.SERVED_CONFIGURATION)
        files.remove(paths.AGENT_CHANGES)
    if files.state(paths.LOG) is not None:
        files.remove(paths.SETUP_LOG)
        files.remove_directory(paths.LOG)
    run.journal.remove()


def forget_program(files: Files) -> None:
    """Remove the one file as it unpacked itself: the very last act, for nothing can be loaded any more."""
    for folder in paths.UNPACKED:
        files.remove_tree(folder)
