"""`mst-cli uninstall`: remove the gateway from this server and from the tenant."""

from functools import partial

from mstunnel_setup import paths
from mstunnel_setup.cli.options import SignInOptions
from mstunnel_setup.cli.removal import as_data, forget, kept, remove_installation
from mstunnel_setup.cli.removal_halves import take_back
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import Run, open_run
from mstunnel_setup.errors import NetworkError, UsageError
from mstunnel_setup.steps.half import Half
from mstunnel_setup.steps.tenancy import in_tenant

_WAY_OUT = "To go on without the tenant: `mst-cli uninstall --offline`; it names what stays there."


def uninstall(session: Session, options: SignInOptions, *, offline: bool, keep_data: bool) -> Result:
    """Take back everything in the receipt, newest first. Asks once; an unattended run is its own answer.

    Raises NetworkError with the way out when the tenant is away and `offline` was not asked for.
    """
    own = partial(_uninstall, session, options, offline=offline, keep_data=keep_data)
    return take_back(session, own)


def _uninstall(session: Session, options: SignInOptions, *, offline: bool, keep_data: bool) -> Result:
    with open_run(session, options.settings(), half=Half.ACCOUNT if paths.ROOTLESS else None) as run:
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
        raise UsageError("uninstall-declined", "nothing was removed", "Run it again and answer yes.")
