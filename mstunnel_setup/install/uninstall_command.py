"""`mst-cli uninstall`: remove the gateway from this server and from the tenant."""

from functools import partial

from mstunnel_setup import paths
from mstunnel_setup.errors import NetworkError
from mstunnel_setup.install.errors import UNINSTALL_DECLINED
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.session import Run, open_run
from mstunnel_setup.install.tenant_access import in_tenant
from mstunnel_setup.install.uninstall import as_data, forget, kept, remove_installation
from mstunnel_setup.install.uninstall_rootless import take_back
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Result

_WAY_OUT = "To go on without the tenant: `mst-cli uninstall --offline`; it names what stays there."


def uninstall(operator: Operator, settings: Settings, *, offline: bool, keep_data: bool) -> Result:
    """Take back everything in the receipt, newest first. Asks once; an unattended run is its own answer.

    Raises NetworkError with the way out when the tenant is away and `offline` was not asked for.
    """
    own = partial(_uninstall, operator, settings, offline=offline, keep_data=keep_data)
    return take_back(operator, own)


def _uninstall(operator: Operator, settings: Settings, *, offline: bool, keep_data: bool) -> Result:
    with open_run(operator, settings, scope=Scope.ACCOUNT if paths.ROOTLESS else None) as run:
        if not run.context.receipt.entries:
            forget(run)
            return Result("unchanged", text=["No gateway is installed here; there is nothing to remove."])
        registered = in_tenant(run.context.receipt)
        _ask(run, offline=offline, registered=registered)
        try:
            removals = remove_installation(run, offline=offline, keep_data=keep_data)
        except NetworkError as error:
            raise NetworkError(error.code, error.message, f"{error.hint} {_WAY_OUT}".strip()) from error
    where = "this server and from the tenant" if registered and not offline else "this server"
    return Result("changed", as_data(removals), kept(removals), text=[f"Removed from {where}."])


def _ask(run: Run, *, offline: bool, registered: bool) -> None:
    prompter = run.context.prompter
    where = "this server and the tenant" if registered and not offline else "this server only"
    if prompter.interactive and not prompter.confirm(f"Remove the gateway from {where}?"):
        raise UNINSTALL_DECLINED()
