"""`mst-cli uninstall`: remove the gateway from this server and from the tenant."""

from mstunnel_setup.cli.options import SignInOptions
from mstunnel_setup.cli.removal import as_data, forget, kept, remove_installation
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import open_run
from mstunnel_setup.errors import UsageError


def uninstall(session: Session, options: SignInOptions) -> Result:
    """Take back everything in the receipt, newest first. Asks once; an unattended run is its own answer."""
    with open_run(session, options.settings()) as run:
        if not run.context.receipt.entries:
            forget(run)
            return Result("unchanged", text=["No gateway is installed here; there is nothing to remove."])
        prompter = run.context.prompter
        if prompter.interactive and not prompter.confirm(
            "Remove the gateway from this server and the tenant?"
        ):
            raise UsageError("uninstall-declined", "nothing was removed", "Run it again and answer yes.")
        removals = remove_installation(run)
    text = ["Removed from this server and from the tenant."]
    return Result("changed", as_data(removals), kept(removals), text=text)
