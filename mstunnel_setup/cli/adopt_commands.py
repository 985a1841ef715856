"""The command group `mstunnel-setup adopt`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.command import Work, command
from mstunnel_setup.cli.framework.options import InstallOptions, SignInOptions, new_group

_GROUP = "mstunnel-setup adopt"

adopt_app = new_group()


@command(adopt_app)
def inventory() -> Work:
    """Show what Microsoft's own gateway left on this server; secrets appear as fingerprints."""
    from mstunnel_setup.adopt import plan

    return plan.inventory


@command(adopt_app)
def plan(options: InstallOptions) -> Work:
    """Show what would be carried over, changed and lost, and what prevents it."""
    from mstunnel_setup.adopt import plan

    return lambda operator: plan.plan(operator, options.request())


@command(adopt_app)
def switch(
    options: InstallOptions,
    plan: Annotated[
        str,
        typer.Option(
            "--plan",
            metavar="DIGEST",
            envvar="MSTUNNEL_PLAN",
            help="Digest of the plan (its last line); required to begin.",
        ),
    ] = "",
) -> Work:
    """Install this gateway in place of Microsoft's; a failure brings that back."""
    from mstunnel_setup.adopt import switch

    return lambda operator: switch.switch(operator, options.request(), plan)


@command(adopt_app)
def rollback(
    options: SignInOptions,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            envvar="MSTUNNEL_ROLLBACK_OFFLINE",
            help="Do not change the tenant; list what remains there. Variable: MSTUNNEL_ROLLBACK_OFFLINE=1.",
        ),
    ] = False,
) -> Work:
    """Remove this gateway and bring Microsoft's back as it was."""
    from mstunnel_setup.adopt import switch

    return lambda operator: switch.rollback(operator, options.settings(), offline=offline)


@command(adopt_app)
def commit() -> Work:
    """End the adoption: Microsoft's gateway stays stopped, and no rollback brings it back."""
    from mstunnel_setup.adopt import switch

    return switch.commit
