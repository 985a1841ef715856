"""The command line of `mst-cli upgrade`."""

from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command
from mstunnel_setup.upgrade import LONGEST_DRAIN

upgrade_app = new_group("Upgrade the two images, with a way back.")
_COMMAND = "mst-cli upgrade"


@upgrade_app.command()
@with_options
def check(common: CommonOptions) -> None:
    """Show which release runs and which one is newest."""
    from mstunnel_setup.operations.upgrade import release_choice  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_COMMAND} check", common, release_choice.check)


@upgrade_app.command()
@with_options
def apply(
    common: CommonOptions,
    release: Annotated[str | None, typer.Argument(help="Name of a release; without it the newest.")] = None,
    drain: Annotated[
        int | None,
        typer.Option(
            "--drain",
            metavar="MINUTES",
            min=0,
            max=LONGEST_DRAIN,
            help="Let nobody new in and wait so long for sessions to end; default: releases.toml, else 0.",
        ),
    ] = None,
) -> None:
    """Upgrade now; when the new release does not serve, the earlier one comes back."""
    from mstunnel_setup.operations.upgrade import release_choice  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_COMMAND} apply", common, lambda operator: release_choice.apply(operator, release, drain))


@upgrade_app.command()
@with_options
def rollback(common: CommonOptions) -> None:
    """Go back to the release before the last upgrade."""
    from mstunnel_setup.operations.upgrade import release_choice  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_COMMAND} rollback", common, release_choice.rollback)


@upgrade_app.command()
@with_options
def history(common: CommonOptions) -> None:
    """Show the upgrades of this server."""
    from mstunnel_setup.operations.upgrade import release_choice  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_COMMAND} history", common, release_choice.history)
