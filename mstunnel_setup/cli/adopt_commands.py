"""The command group `mstunnel-setup adopt`: names and options only."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_GROUP = "mstunnel-setup adopt"

adopt_app = new_group()


@adopt_app.command()
@with_options
def inventory(common: CommonOptions) -> None:
    """Show what Microsoft's own gateway left on this server; secrets appear as fingerprints."""
    from mstunnel_setup.adopt import commands

    run_command(f"{_GROUP} inventory", common, commands.inventory)


@adopt_app.command()
@with_options
def plan(common: CommonOptions, options: InstallOptions) -> None:
    """Show what would be carried over, changed and lost, and what prevents it."""
    from mstunnel_setup.adopt import commands

    run_command(f"{_GROUP} plan", common, lambda operator: commands.plan(operator, options.request()))


@adopt_app.command()
@with_options
def switch(
    common: CommonOptions,
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
) -> None:
    """Install this gateway in place of Microsoft's; a failure brings that back."""
    from mstunnel_setup.adopt import switch

    run_command(f"{_GROUP} switch", common, lambda operator: switch.switch(operator, options.request(), plan))


@adopt_app.command()
@with_options
def rollback(
    common: CommonOptions,
    options: SignInOptions,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            envvar="MSTUNNEL_ROLLBACK_OFFLINE",
            help="Do not change the tenant; list what remains there. Variable: MSTUNNEL_ROLLBACK_OFFLINE=1.",
        ),
    ] = False,
) -> None:
    """Remove this gateway and bring Microsoft's back as it was."""
    from mstunnel_setup.adopt import switch

    run_command(
        f"{_GROUP} rollback",
        common,
        lambda operator: switch.rollback(operator, options.settings(), offline=offline),
    )


@adopt_app.command()
@with_options
def commit(common: CommonOptions) -> None:
    """End the adoption: Microsoft's gateway stays stopped, and no rollback brings it back."""
    from mstunnel_setup.adopt import switch

    run_command(f"{_GROUP} commit", common, switch.commit)
