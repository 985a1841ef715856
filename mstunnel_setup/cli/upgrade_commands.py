"""The command line of `mst-cli upgrade`."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command
from mstunnel_setup.exchange import LONGEST_DRAIN

upgrade_app = new_group()
_COMMAND = "mst-cli upgrade"


@upgrade_app.command()
@with_options
def check(common: CommonOptions) -> None:
    """Show which release runs and which one is newest."""
    from mstunnel_setup.operations.upgrade import commands

    run_command(f"{_COMMAND} check", common, commands.check)


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
            help="Refuse new connections and wait up to MINUTES for sessions to end; "
            "default: releases.toml, else 0.",
        ),
    ] = None,
) -> None:
    """Upgrade now; roll back if the new release does not serve."""
    from mstunnel_setup.operations.upgrade import commands

    run_command(f"{_COMMAND} apply", common, lambda operator: commands.apply(operator, release, drain))


@upgrade_app.command()
@with_options
def refresh(common: CommonOptions) -> None:
    """Fetch the list of releases from the release feed."""
    from mstunnel_setup.operations.upgrade import releases

    run_command(f"{_COMMAND} refresh", common, releases.fetch_now)


@upgrade_app.command("import")
@with_options
def import_(
    common: CommonOptions,
    archive: Annotated[Path, typer.Argument(help="Archive of the release feed.", metavar="FILE")],
) -> None:
    """Import the list of releases from a file, on a server that cannot reach the feed."""
    from mstunnel_setup.operations.upgrade import releases

    run_command(f"{_COMMAND} import", common, lambda operator: releases.import_archive(operator, archive))


@upgrade_app.command()
@with_options
def rollback(common: CommonOptions) -> None:
    """Return to the release before the last upgrade."""
    from mstunnel_setup.operations.upgrade import commands

    run_command(f"{_COMMAND} rollback", common, commands.rollback)


@upgrade_app.command()
@with_options
def history(common: CommonOptions) -> None:
    """Show the upgrades of this server."""
    from mstunnel_setup.operations.upgrade import commands

    run_command(f"{_COMMAND} history", common, commands.history)
